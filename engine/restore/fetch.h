// Brings planned chunks from packs into files: each block is fetched and decoded once a window,
// while the next window is planned.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/chunk_reader.h"
#include "engine/restore/file_writer.h"
#include "engine/util/ordered_stage.h"

namespace coffre {

// Gathers writes and hands them to threads of its own when a window is full. Used by one thread.
class Fetcher {
public:
    // Arguments outlive this. `reader` is the planning thread's.
    Fetcher(ChunkReader& reader, FileWriter& writer, unsigned threads);

    void plan(FileWrite write);
    // Returns when all that was planned is carried out. Nothing may be planned after it.
    void finish();

private:
    struct Job {
        BlockSource source;
        std::vector<FileWrite> writes;
    };
    using Stage = OrderedStage<std::shared_ptr<Job>, int>;
    void hand_on_window();
    void await_window();
    std::optional<BlockSource> source_of(ChunkPlace const& place);
    Bytes read_block(BlockSource const& source);
    void fetch(Job const& job);
    void write_from_copies(FileWrite const& write);

    ChunkReader& reader_;
    FileWriter& writer_;
    unsigned threads_;
    std::mutex mutex_;
    ChunkReader copies_;  // by mutex_: for what a block alone does not give
    std::map<std::pair<PackNumber, std::uint32_t>, std::vector<FileWrite>> window_;
    std::size_t bound_;  // of the window, in writes
    std::size_t planned_ = 0;
    std::uint64_t planned_memory_ = 0;  // of the files that are planned
    std::unique_ptr<Stage> running_;    // the window before, being fetched
};

}  // namespace coffre
