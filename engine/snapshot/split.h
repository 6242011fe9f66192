// Reads bytes and cuts them into chunks: fills batches and hands them on.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "engine/chunk/chunker.h"
#include "engine/snapshot/batch.h"

namespace coffre {

// Of the buffers in which chunks of these sizes are cut.
std::size_t batch_buffer_size(ChunkerSizes const& sizes);

// Fills the span as far as the source goes; fewer bytes mean the end.
using ReadBytes = std::function<std::size_t(std::span<std::byte>)>;

// Used by one thread.
class Splitter {
public:
    // `hand_on` gets the batches in order. All arguments outlive this. Throws std::logic_error when
    // the pool's buffers do not hold two of the largest chunks.
    Splitter(Chunker const& chunker, std::shared_ptr<PagePool> pool,
             std::function<void(Batch)> hand_on);

    void add(Event event);
    // The chunks of one source, in `lane`. Returns its size. What `read` throws passes through;
    // the chunks up to there are then in the batch.
    std::uint64_t add_bytes(std::size_t lane, ReadBytes const& read);
    // Hands on what is left.
    void flush();

private:
    void require_room(std::size_t size);
    bool fill(ReadBytes const& read);
    void cut_chunks(std::size_t lane, bool at_end);

    Chunker const& chunker_;
    std::shared_ptr<PagePool> pool_;
    std::function<void(Batch)> hand_on_;
    Batch batch_;
    std::size_t cut_ = 0;     // in the buffer: chunks are cut up to here
    std::size_t filled_ = 0;  // and bytes are read up to here
};

}  // namespace coffre
