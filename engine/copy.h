// Brings snapshots from one repository into another one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/progress.h"
#include "engine/snapshots.h"

namespace coffre {

struct CopyRequest {
    std::vector<std::string> names;  // as find_snapshot() takes them; none: all that match
    SnapshotFilter filter;
    int compression_level = 1;  // of zstd; 0: none
    unsigned threads = 0;       // 0: one for each processor
    bool dry_run = false;
    bool heal = false;        // also what snapshots lack that `to` has already
    std::string destination;  // what this machine calls `to`: remembered for `repo status`
};

// What this machine last brought from a repository to another one.
struct CopyElsewhere {
    RepositoryId repository;  // that is there; only in what a status tells
    std::string destination;
    std::int64_t time_ns = 0;    // the moment that the newest snapshot there shows
    std::int64_t copied_ns = 0;  // when that was made sure

    bool operator==(CopyElsewhere const&) const = default;
};

struct CopiedSnapshot {
    NamedSnapshot from;
    std::optional<NamedSnapshot> to;  // nothing: it is still to be copied
    bool is_healed = false;           // `to` was there before, and lacked something
};

struct CopyReport {
    std::vector<CopiedSnapshot> copied;  // oldest first; in a dry run those that would be
    std::uint64_t were_there = 0;
    std::uint64_t healed = 0;         // of those; in a dry run those that would be
    std::vector<std::string> errors;  // snapshots that cannot be read or copied, one message each
};

// Saves each snapshot of `from` that `to` does not have in `to`, as if what it shows were read
// there: cut into chunks, named and sealed under the keys of `to`. Reads from `from` only the files
// that differ from those of an earlier snapshot of the same host and paths that was copied before.
// Every chunk is compared with its id, every tree with its digest, before the copy is published,
// durably. One that fails is among the errors, and the others are copied all the same; what was
// stored of it is not stored again by the next run. `on_copied` may be empty.
// What is to be healed is copied again, which stores what is missing, and the copy forgotten at
// once. Packs that no command of this machine has met damaged count as sound.
// Throws RepositoryError: {failed} when both are the same repository.
CopyReport copy_snapshots(Repository& from, Repository& to, CopyRequest const& request,
                          Progress& progress,
                          std::function<void(CopiedSnapshot const&)> const& on_copied);

}  // namespace coffre
