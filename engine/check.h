// Is everything there, and is it what was written?
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <variant>

#include "engine/progress.h"
#include "engine/repository.h"

namespace coffre {

enum class CheckDepth {
    structure,  // every object is listed and opened but packs, which are there with the right size;
                // every tree is read, every chunk of every file has a place
    read_data,  // and every byte of every pack is read, every chunk compared with its id
};

struct AllPacks {};
// Packs whose id modulo `of` is `number` - 1: the runs 1 to `of` read each pack once.
struct PackSlice {
    std::uint64_t number = 1;
    std::uint64_t of = 1;
};
// So many of the packs, chosen at random; rounded up.
struct PackShare {
    double percent = 100;
};
// Packs of so many bytes at most, together, chosen at random.
struct PackBytes {
    std::uint64_t bytes = 0;
};
using PackChoice = std::variant<AllPacks, PackSlice, PackShare, PackBytes>;

struct CheckRequest {
    CheckDepth depth = CheckDepth::structure;
    // Which packs read_data reads; those first that were verified longest ago, or never.
    PackChoice packs = {};
    std::optional<std::int64_t> max_age_s = {};  // none that was verified within
    std::optional<std::int64_t> budget_s = {};   // none is begun when the check is older than this
    unsigned threads = 0;                        // 0: one for each processor
    // Seconds since 1970, asked by any thread. Empty: this machine's clock.
    std::function<std::int64_t()> clock = {};
};

// A check that came to its end.
struct CheckRun {
    std::int64_t time_s = 0;  // since 1970
    std::uint64_t errors = 0;

    bool operator==(CheckRun const&) const = default;
};

// When this machine has read the packs and found them sound.
struct Verification {
    std::uint64_t packs_never = 0;
    std::uint64_t bytes_never = 0;
    std::uint64_t packs_damaged = 0;       // when it last read them; among those of never, too
    std::optional<std::int64_t> oldest_s;  // of those that it has: seconds since 1970
};

// Of what is wrong, so many are told of at once, by Progress; all are in the report.
inline constexpr std::size_t most_errors_shown = 200;

struct CheckReport {
    std::vector<std::string> errors;    // each names the object
    std::vector<std::string> warnings;  // harmless: what an interrupted run left
    std::uint64_t snapshots = 0;
    std::uint64_t trees = 0;  // directories
    std::uint64_t files = 0;
    std::uint64_t packs = 0;
    std::uint64_t pack_bytes = 0;  // of all of them
    std::uint64_t packs_read = 0;
    std::uint64_t chunks_read = 0;
    std::uint64_t bytes_read = 0;  // of packs
    Verification verification;     // by now

    bool clean() const { return errors.empty(); }
};

// Goes on after an error, to find all of them. Changes nothing in the repository. This machine
// remembers when it checked and which packs it found sound, also when the check does not come to
// its end.
CheckReport check_repository(Repository& repository, CheckRequest const& request,
                             Progress& progress);
// The same, of all packs.
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
    std::vector<std::string> damaged;  // what could not be read of snapshots: they are not counted
};

RepositoryStatistics gather_statistics(Repository& repository);

}  // namespace coffre
