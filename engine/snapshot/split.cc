#include "engine/snapshot/split.h"

#include <algorithm>
#include <stdexcept>

namespace coffre {

namespace {

constexpr std::size_t events_per_batch = 4096;
constexpr std::size_t usual_buffer_size = 2U << 20U;

// What was read and not cut, and as much again, so that reading always goes on.
std::size_t room_needed(ChunkerSizes const& sizes) {
    return 2 * std::size_t{sizes.max};
}

}  // namespace

std::size_t batch_buffer_size(ChunkerSizes const& sizes) {
    return std::max(usual_buffer_size, room_needed(sizes));
}

Splitter::Splitter(Chunker const& chunker, std::shared_ptr<PagePool> pool,
                   std::function<void(Batch)> hand_on)
    : chunker_(chunker), pool_(std::move(pool)), hand_on_(std::move(hand_on)) {
    batch_.buffer = pool_->get();
    if (batch_.buffer.size() < room_needed(chunker_.sizes())) {
        throw std::logic_error("a batch does not hold two of the largest chunks");
    }
}

void Splitter::add(Event event) {
    if (batch_.events.size() >= events_per_batch) flush();
    batch_.events.push_back(std::move(event));
}

void Splitter::flush() {
    Batch full = std::move(batch_);
    batch_ = Batch{pool_->get(), {}};
    // What is read but not cut goes on in the next buffer.
    std::size_t const rest = filled_ - cut_;
    std::memcpy(batch_.buffer.bytes().data(), full.buffer.bytes().data() + cut_, rest);
    cut_ = 0;
    filled_ = rest;
    if (!full.events.empty()) hand_on_(std::move(full));
    // The old buffer is back in its pool: NOLINTNEXTLINE(clang-analyzer-cplusplus.NewDeleteLeaks)
}

// Makes sure that a largest chunk, or `size` bytes, fit behind what is cut.
void Splitter::require_room(std::size_t size) {
    if (batch_.buffer.size() - cut_ < size || batch_.events.size() >= events_per_batch) flush();
}

// False at the end of the source.
bool Splitter::fill(ReadBytes const& read) {
    std::span<std::byte> const room = batch_.buffer.bytes().subspan(filled_);
    std::size_t const size = read(room);
    filled_ += size;
    return size == room.size();
}

void Splitter::cut_chunks(std::size_t lane, bool at_end) {
    std::size_t const needed = at_end ? 1 : chunker_.sizes().max;
    while (filled_ - cut_ >= needed) {
        std::size_t const size = chunker_.cut(batch_.buffer.bytes().subspan(cut_, filled_ - cut_));
        batch_.events.emplace_back(FileChunk{lane, cut_, size, {}});
        cut_ += size;
    }
}

std::uint64_t Splitter::add_bytes(std::size_t lane, ReadBytes const& read) {
    std::uint64_t size = 0;
    try {
        for (bool more = true; more;) {
            require_room(room_needed(chunker_.sizes()));
            std::size_t const before = filled_;
            more = fill(read);
            size += filled_ - before;
            cut_chunks(lane, !more);
        }
    } catch (...) {
        cut_ = filled_;
        throw;
    }
    return size;
}

}  // namespace coffre
