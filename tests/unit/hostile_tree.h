// Writes repositories that somebody who holds the key may craft: every seal fits, and nothing else
// need be true.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/block_codec.h"
#include "engine/repository/packer.h"
#include "engine_test_repo.h"

namespace coffre::test {

// Nodes as they are given: neither names nor order nor fields are looked at.
Node node_of(std::string name, NodeKind kind);
Node link_to(std::string name, std::string target);
Node device_of(std::string name, NodeKind kind, std::uint64_t number);
// The same inode under another name.
Node renamed(Node node, std::string name);
// Makes the nodes names of one inode, as many as there are.
std::vector<Node> linked(std::vector<Node> nodes, std::uint64_t inode = 42);
// What a block holds that is a delta on `prefix`.
Bytes delta_frame(ByteView plain, ByteView prefix);

class HostileRepo {
public:
    explicit HostileRepo(Mode mode = Mode::encrypted);

    TestRepo& operator*() { return repo_; }
    TestRepo* operator->() { return &repo_; }

    // A chunk in a block of its own, once. Its id is true.
    ChunkId store(PackKind kind, ByteView plain);
    // A block whose row may say anything of `content`, which gets sealed; its offset is set.
    // Returns where it lies: the directory can still be changed.
    BlockRow& add_block(PackKind kind, BlockRow row, ByteView content);
    ChunkId name(PackKind kind, ByteView plain) const;

    // Entries with true ids; the weight can be changed by who gets them.
    ListEntry chunk(std::string_view content);
    ListEntry piece(std::vector<Node> const& nodes);
    ListEntry recipe(std::uint8_t level, std::vector<ListEntry> const& entries);

    Node file(std::string name, std::string_view content = "hostile");
    // Of a true size and hash, if the entries' weights and `content` are.
    Node file_of(std::string name, Content const& content, std::uint64_t size);
    // In pieces of up to 1024 nodes; with a true digest.
    Node folder(std::string name, std::vector<Node> const& nodes);
    Node folder_of(std::string name, Content const& content);

    // What folder() was given so far.
    Statistics counted() const { return counted_; }

    // Everything stored, in a bundle, and a snapshot of it.
    void publish(std::vector<Node> const& top);
    void publish(Node const& root, Statistics const& told);
    // The packs and their bundle alone.
    void flush();
    // What is stored from now on has other keys, as another run's has.
    void renew_keys();
    void put_bundle(Bundle const& bundle);
    void put_snapshot(Snapshot const& snapshot);

private:
    TestRepo repo_;
    SessionId session_;
    SessionKeys keys_;
    std::map<PackKind, OpenPack> open_;
    std::set<ChunkId> stored_;
    Statistics counted_;
};

}  // namespace coffre::test
