// How fast each stage of a snapshot is, alone and together, with one thread and with all.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "engine/measure/sample.h"

namespace coffre {

// Runs `job(0)` ... `job(count - 1)` in `threads` threads and returns the seconds it took. Throws
// what a job throws.
double run_jobs(std::size_t count, unsigned threads, std::function<void(std::size_t)> const& job);

class Stages {
public:
    // `progress` outlives this.
    Stages(BenchRequest const& request, Progress& progress);

    // Reads the pieces: every second one with all threads, to measure both on what is not cached
    // by the other.
    void read(std::vector<Piece> const& pieces);
    // Everything that works on the sample in memory.
    void measure_all();

    SampleFound const& sample() const { return sample_; }
    std::vector<StageSpeed> const& speeds() const { return speeds_; }

private:
    using Job = std::function<void(std::size_t)>;
    // `bytes` of plaintext pass in the `count` jobs.
    StageSpeed measure(std::string const& stage, std::uint64_t bytes, std::size_t count,
                       Job const& job) const;
    double speed(std::uint64_t bytes, std::size_t count, unsigned threads, Job const& job) const;
    void make_groups();
    void measure_blocks(std::vector<Block> blocks);
    void save_group(std::size_t group);
    void restore_block(std::size_t block) const;

    unsigned threads_;
    int level_;
    std::shared_ptr<PagePool> pack_memory_;
    Progress& progress_;
    BenchKeys keys_;
    SampleFound sample_;
    std::vector<SamplePiece> pieces_;
    std::vector<std::size_t> groups_;  // where groups of pieces of some MiB begin; and the end
    std::vector<SealedBlock> sealed_;
    std::vector<StageSpeed> speeds_;
};

// Stored bytes a second into nameless files in `folder`, as packs are written. Throws SourceError.
double measure_writing(std::string const& folder, Progress& progress);

}  // namespace coffre
