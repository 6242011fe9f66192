// What backing up some paths would cost on this machine: measured on a sample of them, without a
// repository.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "engine/patterns.h"
#include "engine/progress.h"

namespace coffre {

struct BenchRequest {
    std::vector<std::string> paths;  // relative ones are completed with the working folder
    PatternList exclude;             // beneath the paths
    std::uint64_t sample_bytes = std::uint64_t{256} << 20U;  // read at the most, into memory
    std::string store_folder;   // where packs would be written; empty: writing is not measured
    int compression_level = 1;  // 0: never compress
    unsigned threads = 0;       // 0: one for each processor
};

// All that is found: every file is looked at, none is opened. A file of several names counts once.
struct PathsFound {
    std::uint64_t files = 0;
    std::uint64_t directories = 0;
    std::uint64_t bytes = 0;
    std::uint64_t bytes_of_month = 0;  // of files that were written to within 30 days
    std::uint64_t unreadable = 0;      // folders and files; told to progress, and left out
    double seconds = 0;
};

// Pieces of up to 4 MiB, such that each byte found is as likely to be among them as any other.
struct SampleFound {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
    std::uint64_t chunks = 0;
    std::uint64_t unique_bytes = 0;  // of chunks that differ
    std::uint64_t stored_bytes = 0;  // of those, compressed where it pays
    std::uint64_t unreadable = 0;    // pieces; told to progress
    bool is_all = false;             // nothing was left out
};

// Bytes of plaintext a second.
struct StageSpeed {
    std::string stage;
    double one_thread = 0;
    double all_threads = 0;
};

// What one run takes, if the rest is as the sample.
struct RunCost {
    double seconds = 0;
    std::uint64_t read_bytes = 0;
    std::uint64_t stored_bytes = 0;
};

struct BenchReport {
    unsigned threads = 0;
    PathsFound found;
    SampleFound sample;
    // read; chunk, identify, compress, seal: each alone on data in memory; snapshot: these four
    // together; restore: the way back.
    std::vector<StageSpeed> stages;
    std::optional<double> write_speed;  // stored bytes a second
    RunCost first;
    RunCost unchanged;
    RunCost daily;  // with as much new data as the last 30 days had on average
};

// Throws SourceError when a path is not there or nothing can be read, RepositoryError{interrupted}
// when progress.stop is set.
BenchReport bench_paths(BenchRequest const& request, Progress& progress);

}  // namespace coffre
