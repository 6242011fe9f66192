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

// What a pack holds of what makes it full.
struct PackFill {
    std::uint64_t bytes = 0;
    std::size_t chunks = 0;
    std::size_t keys = 0;

    // Of a full pack, by what it holds most of: 1 or more when it is full.
    double share() const;
};

// Used by one thread.
class Packer {
public:
    // `hand_on` gets each pack when it is full.
    Packer(SessionId const& session, std::function<void(OpenPack)> hand_on);

    // The block's key, if it has one, is among `keys`.
    void add(SealedBlock block, std::vector<WrappedKey> const& keys);
    // Hands on the packs that are not full.
    void flush();

    std::uint64_t stored_bytes() const { return stored_bytes_; }

private:
    struct Open {
        OpenPack pack;
        std::size_t chunks = 0;
    };

    SessionId session_;
    std::function<void(OpenPack)> hand_on_;
    std::shared_ptr<PagePool> memory_;
    std::map<PackKind, Open> open_;
    std::uint64_t stored_bytes_ = 0;
};

}  // namespace coffre
