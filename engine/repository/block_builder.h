// Groups new chunks of one kind into blocks: contents that look random into some, all else into
// others, so that zstd works on nothing but what it can make smaller.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <functional>

#include "engine/repository/block_codec.h"

namespace coffre {

// Used by one thread.
class BlockBuilder {
public:
    // `hand_on` gets each block when it is full.
    BlockBuilder(PackKind kind, std::function<void(Block)> hand_on);

    // Copies `bytes`.
    void add(ChunkId const& id, ByteView bytes);
    // Hands on the blocks that are not full.
    void flush();

private:
    void hand_on(Block& block);

    std::array<Block, 2> blocks_;
    std::function<void(Block)> hand_on_;
};

}  // namespace coffre
