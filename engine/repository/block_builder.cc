#include "engine/repository/block_builder.h"

#include "engine/codec/coincidence.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t target = limits::mib;
constexpr std::size_t most_chunks = 32 * std::size_t{1024};

Block empty_block(PackKind kind, bool looks_random) {
    return {kind, looks_random, {}, {}};
}

}  // namespace

BlockBuilder::BlockBuilder(PackKind kind, std::function<void(Block)> hand_on)
    : blocks_{empty_block(kind, false), empty_block(kind, true)}, hand_on_(std::move(hand_on)) {}

void BlockBuilder::add(ChunkId const& id, ByteView bytes) {
    // Trees stay together: they are read together, and what they look like says little.
    bool const is_apart = blocks_[0].kind == PackKind::data && looks_random(bytes);
    Block& block = blocks_[is_apart ? 1 : 0];
    if (block.plain.capacity() == 0) block.plain.reserve(target + target / 2);
    block.chunks.push_back({id, static_cast<std::uint32_t>(block.plain.size()),
                            static_cast<std::uint32_t>(bytes.size())});
    append(block.plain, bytes);
    if (block.plain.size() >= target || block.chunks.size() >= most_chunks) hand_on(block);
}

void BlockBuilder::flush() {
    for (auto& block : blocks_) {
        if (!block.chunks.empty()) hand_on(block);
    }
}

void BlockBuilder::hand_on(Block& block) {
    Block full = std::exchange(block, empty_block(block.kind, block.looks_random));
    hand_on_(std::move(full));
}

}  // namespace coffre
