// The reason for it all: bring files back.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/patterns.h"
#include "engine/progress.h"
#include "engine/snapshots.h"

namespace coffre {

// What happens to files that are there already.
enum class Overwrite {
    always,      // made equal: contents are compared, what differs is rewritten
    if_changed,  // the same, but a file of equal size and mtime is taken as equal unread
    if_newer,    // only when the snapshot's is newer
    never,
};

struct RestoreRequest {
    FoundSnapshot from;
    std::string target;  // a folder; made if absent
    // Compared with the snapshot's paths, and with those from `from.sub_path` on.
    PatternList include;  // empty: all
    PatternList exclude;
    Overwrite overwrite = Overwrite::always;
    bool delete_extra = false;  // remove what the restored folders hold beside the snapshot
    bool verify = false;        // read everything back and compare
    bool sparse = false;        // leave holes also for zeros that were saved as such
    bool privileged = false;    // also what gives rights: see Withheld
    bool numeric_ids = false;   // owners by number, whatever their names
    bool dry_run = false;
    unsigned threads = 0;  // 0: one for each processor
    // Files and folders that are not deleted, nor is what they lie in: what a restore needs itself.
    std::vector<std::string> never_deleted;
    // Those of them that are left as they are also where the snapshot has something for them: the
    // target may not lie in one.
    std::vector<std::string> never_written;
};

// What gives rights, and was left out because the request is not privileged.
struct Withheld {
    std::uint64_t set_ids = 0;     // files' set-user-id and set-group-id bits
    std::uint64_t devices = 0;     // device files
    std::uint64_t attributes = 0;  // in "security" and "trusted": capabilities are among them

    bool any() const { return set_ids + devices + attributes > 0; }
};

struct RestoreResult {
    std::uint64_t files = 0;           // selected
    std::uint64_t files_restored = 0;  // new or rewritten, in part at least
    std::uint64_t files_unchanged = 0;
    std::uint64_t files_skipped = 0;  // kept because of `overwrite`
    std::uint64_t files_deleted = 0;
    std::uint64_t files_verified = 0;
    std::uint64_t directories = 0;
    std::uint64_t others = 0;  // links and special nodes
    std::uint64_t bytes = 0;   // of the selected files
    std::uint64_t bytes_written = 0;
    std::uint64_t bytes_foreseen = 0;  // that a dry run would have written
    Withheld withheld;
    std::vector<SourceFailure> failures;  // of the target: permissions, space, things in the way
    std::vector<SourceFailure> damaged;   // files whose contents cannot be read from the repository
};

// Writes are confined to `target`: no link in it is followed. A file that cannot be had back
// exactly is in `damaged` and, when it was new, not left behind. Durable when it returns. Throws
// RepositoryError, and SourceError when the target itself cannot be used.
RestoreResult restore_snapshot(Repository& repository, RestoreRequest const& request,
                               Progress& progress);

// The contents of the file at `path` of the snapshot, in order, in pieces.
// Throws RepositoryError; also when it is not a file.
void dump_file(Repository& repository, Snapshot const& snapshot, std::string const& path,
               std::function<void(ByteView)> const& write);

// The tree at `path` as a POSIX (pax) tar stream.
void dump_tar(Repository& repository, Snapshot const& snapshot, std::string const& path,
              std::function<void(ByteView)> const& write);

}  // namespace coffre
