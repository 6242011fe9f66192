// Brings planned chunks from packs into files: each block is fetched and decoded once a window.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/chunk_reader.h"
#include "engine/restore/file_writer.h"

namespace coffre {

// Gathers writes and carries them out when a window is full. Used by one thread.
class Fetcher {
public:
    // Arguments outlive this.
    Fetcher(ChunkReader& reader, FileWriter& writer, unsigned threads);

    void plan(FileWrite write);
    // Carries out what is planned.
    void run();

private:
    struct Job {
        BlockSource source;
        std::vector<FileWrite> writes;
    };
    std::optional<BlockSource> source_of(ChunkPlace const& place);
    Bytes read_block(BlockSource const& source);
    void fetch(Job const& job);
    void write_from_copies(FileWrite const& write);

    ChunkReader& reader_;
    FileWriter& writer_;
    unsigned threads_;
    std::map<std::pair<PackNumber, std::uint32_t>, std::vector<FileWrite>> window_;
    std::size_t planned_ = 0;
    std::uint64_t planned_memory_ = 0;  // of the files that are planned
    std::mutex reader_mutex_;
};

}  // namespace coffre
