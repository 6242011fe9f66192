// Fills packs with sealed blocks: one open pack for data, one for meta.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>

#include "engine/repository/block_codec.h"
#include "format/limits.h"

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

// A pack takes no more blocks when it has so many bytes: some of them are in memory at once.
inline constexpr std::size_t full_pack_bytes = 8 * limits::mib;

// What a pack holds of what makes it full.
struct PackFill {
    std::uint64_t bytes = 0;
    std::size_t chunks = 0;
    std::size_t keys = 0;

    // Of a full pack, by what it holds most of: 1 or more when it is full.
    double share() const;
};

// Threads may share it: their blocks lie in the order in which they come.
class Packer {
public:
    // `hand_on` gets each pack when it is full: one at a time, and the others wait for it. What it
    // throws, seal(), add() and flush() throw.
    Packer(SessionId const& session, std::function<void(OpenPack)> hand_on);

    // Seals the block where it is to lie.
    void seal(EncodedBlock block, SessionKeys const& keys, RepositoryId const& repository);
    // One that is sealed already: its key, if it has one, is among `keys`.
    void add(SealedBlock block, std::vector<WrappedKey> const& keys);
    // Hands on the packs that are not full. No other thread may be here.
    void flush();

    // No other thread may be here.
    std::uint64_t stored_bytes() const { return stored_bytes_; }

private:
    struct Open {
        OpenPack pack;
        std::size_t chunks = 0;
        std::size_t empty_places = 0;
        bool is_full = false;
        bool is_broken = false;  // a place stays empty
    };
    using Lock = std::unique_lock<std::mutex>;
    using Fill = std::function<void(std::span<std::byte>)>;

    void add(PackKind kind, BlockRow row, std::vector<WrappedKey> const& keys, Fill const& fill);
    Open& pack_with_room(PackKind kind, std::size_t size, Lock& lock);
    void begin(PackKind kind, std::size_t size);
    BlockPlace reserve(Open& open, BlockRow row, std::vector<WrappedKey> const& keys);
    void hand_on_if_complete(PackKind kind);

    SessionId session_;
    std::function<void(OpenPack)> hand_on_;
    std::shared_ptr<PagePool> memory_;
    std::mutex mutex_;
    std::condition_variable handed_on_;
    std::map<PackKind, Open> open_;   // by mutex_
    std::uint64_t stored_bytes_ = 0;  // by mutex_
};

}  // namespace coffre
