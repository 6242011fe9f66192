// Fills packs with sealed blocks: one open pack for data, one for meta.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <map>

#include "engine/repository/pack_builder.h"

namespace coffre {

// A session's keys, and how they travel in the directories of its packs.
struct SessionKeys {
    SessionKey data;
    SessionKey meta;
    std::vector<WrappedKey> wrapped_data;
    std::vector<WrappedKey> wrapped_meta;

    explicit SessionKeys(KeyRing const& keys);
    SessionKey const& of(PackKind kind) const { return kind == PackKind::data ? data : meta; }
    std::vector<WrappedKey> const& wrapped(PackKind kind) const {
        return kind == PackKind::data ? wrapped_data : wrapped_meta;
    }
};

// Used by one thread.
class Packer {
public:
    // `hand_on` gets each pack when it has reached `target` bytes or many chunks. All arguments
    // outlive this.
    Packer(SessionId const& session, SessionKeys const& keys, std::size_t target,
           std::function<void(OpenPack)> hand_on);

    void add(SealedBlock block);
    // Hands on the packs that are not full.
    void flush();

    std::uint64_t stored_bytes() const { return stored_bytes_; }

private:
    SessionId session_;
    SessionKeys const& keys_;
    std::size_t target_;
    std::function<void(OpenPack)> hand_on_;
    std::shared_ptr<PagePool> memory_;
    std::map<PackKind, OpenPack> open_;
    std::map<PackKind, std::size_t> chunks_;  // in the open packs
    std::uint64_t stored_bytes_ = 0;
};

}  // namespace coffre
