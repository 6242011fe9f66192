// Collection: frees what no snapshot needs, while others read and write.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <set>

#include "engine/progress.h"
#include "engine/repository.h"

namespace coffre {

struct PruneSums {
    struct Amount {
        std::uint64_t packs = 0;
        std::uint64_t bytes = 0;
    };
    Amount total;              // before
    Amount unneeded;           // packs that nobody needs anything of
    Amount repacked;           // packs whose needed rest is moved; bytes: that rest
    std::uint64_t unused = 0;  // bytes in other packs that nobody needs: they stay
    Amount kept_for_writers;   // of sessions that are open: not looked into
    std::uint64_t frees = 0;   // bytes, about: of unneeded packs, and by moving
};

struct PruneRequest {
    // Of what packs hold afterwards; the rest of it is moved together. None: nothing is moved.
    std::optional<double> max_unused = 0.05;
    std::optional<std::uint64_t> max_unused_bytes = {};  // in the place of that share
    std::uint64_t max_repack_bytes = ~std::uint64_t{0};  // to be moved in this run
    std::optional<std::chrono::seconds> repack_time;     // after it no further pack is moved
    int compression_level = 1;                           // of blocks that must be made anew
    std::size_t slots_per_checkpoint = 32;               // void ones that are worth a record
    std::size_t packs_per_checkpoint = 16'000'000;       // removed ones that it names in any case
    unsigned threads = 0;
    bool gives_way = false;  // while others write it moves packs at a quarter of its speed
    bool dry_run = false;
    std::set<SessionId> as_if_forgotten;  // in a dry run: snapshots that would be by then
    // Told what is going to be done before anything is moved or condemned; again when another
    // collection was faster and all is planned anew.
    std::function<void(PruneSums const&)> on_plan = {};
};

// Somebody who writes: until it ends, nothing that it may rely on can be removed.
struct OpenSession {
    std::string id;    // hexadecimal
    std::string host;  // empty: its record cannot be read
    std::uint64_t pid = 0;
    std::int64_t seen_ns = 0;  // its last sign of life, by the store's clock
};

struct PruneReport : PruneSums {
    Amount removed;                        // in this run, also what an earlier one had condemned
    Amount postponed;                      // was to be moved, and stays where it is for now
    std::uint64_t ended_sessions = 0;      // that showed no sign of life
    std::vector<OpenSession> waiting_for;  // what is condemned goes once these have ended
    bool resumed = false;  // an earlier run's collection was finished: `unneeded` is what it had
                           // condemned and what is there of it
    bool lacked_room = false;          // so that what was to be moved stays where it is
    std::vector<std::string> damaged;  // what was met so: it stays, and the rest was collected
};

// Marks what is needed, condemns the rest, and removes it as soon as no session is open that began
// before: at once when there is none, else with a later run. May be killed at any moment and run
// anew, also by several at a time. The protocol: docs/ordering.md.
// Throws RepositoryError and then has removed nothing that was not condemned: {corrupt} when a
// snapshot or tree cannot be read, since what it needs is not known; {no_space} when not even the
// reserve was room enough. SourceError when the cache's folder has no room for millions of packs.
PruneReport prune(Repository& repository, PruneRequest const& request, Progress& progress);

}  // namespace coffre
