// Is everything there, and is it what was written?
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository.h"

namespace coffre {

enum class CheckDepth {
    structure,  // every object is listed and opened but packs, which are there with the right size;
                // every tree is read, every chunk of every file has a place
    read_data,  // and every byte of every pack is read, every chunk compared with its id
};

struct CheckReport {
    std::vector<std::string> errors;    // each names the object
    std::vector<std::string> warnings;  // harmless: what an interrupted run left
    std::uint64_t snapshots = 0;
    std::uint64_t trees = 0;  // directories
    std::uint64_t files = 0;
    std::uint64_t packs = 0;
    std::uint64_t chunks_read = 0;
    std::uint64_t bytes_read = 0;  // of packs

    bool clean() const { return errors.empty(); }
};

// Goes on after an error, to find all of them. Changes nothing.
CheckReport check_repository(Repository& repository, CheckDepth depth, unsigned threads,
                             Progress& progress);

// Compares every object of the store at `location` with the checksums that lie in it in the clear:
// finds what disks and cables do, at the speed of memory, and needs no key. What somebody changed
// on purpose, or took away, takes check_repository() to find. Throws RepositoryError{not_found}.
CheckReport scrub_store(std::string const& location, unsigned threads, Progress& progress);

struct RepositoryStatistics {
    std::uint64_t snapshots = 0;
    std::uint64_t packs = 0;
    std::uint64_t chunks = 0;
    std::uint64_t stored_bytes = 0;    // all objects
    std::uint64_t plain_bytes = 0;     // of all chunks stored, once each
    std::uint64_t restored_bytes = 0;  // of all files of all snapshots
};

RepositoryStatistics gather_statistics(Repository& repository);

}  // namespace coffre
