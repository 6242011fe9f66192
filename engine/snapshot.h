// The main job: save paths and streams as one moment.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>

#include "engine/patterns.h"
#include "engine/progress.h"
#include "engine/repository.h"
#include "engine/stream.h"
#include "format/snapshot.h"

namespace coffre {

// A file that marks the folder it is in.
struct FolderTag {
    std::string name;
    std::string begins_with;  // what the file must begin with; empty: anything

    // CACHEDIR.TAG, as https://bford.info/cachedir defines it.
    static FolderTag of_caches();
};

// What is left out of the paths. A path named by the user is never left out.
struct Exclusions {
    PatternList patterns;
    std::vector<FolderTag> tags;  // all in folders that hold one of these, but for that file
    std::optional<std::uint64_t> larger_than;  // files above this many bytes
    bool other_file_systems = false;           // stay on the file systems of the paths
    // The folder of the repository, which is saved only where it is named.
    std::optional<std::pair<dev_t, ino_t>> repository;
    // A file on the file system of that folder ends the run, with RepositoryError{failed}.
    bool refuses_beside = false;
};

enum class ParentChoice { automatic, none, given };

struct SnapshotRequest {
    std::vector<std::string> paths;  // relative ones are completed with the working folder
    std::vector<std::unique_ptr<StreamSource>> streams;
    Exclusions exclude;
    std::string host;  // empty: this machine's
    std::vector<std::string> tags;
    std::optional<std::int64_t> time_ns;  // default: now
    // Given up before it is there: what it stores mends other snapshots, itself it never counts.
    bool only_mends = false;
    ParentChoice parent = ParentChoice::automatic;
    std::string parent_name;  // with ParentChoice::given; as find_snapshot() takes it
    bool dry_run = false;
    bool skip_if_unchanged = false;
    int compression_level = 1;  // of zstd; 0: none
    unsigned threads = 0;       // 0: one for each processor
    PointSection point;
};

struct SnapshotResult {
    std::optional<SessionId> id;  // nothing after a dry run, or when nothing had changed
    bool unchanged = false;
    Snapshot snapshot;
    std::string left_out;  // where the repository was met; empty: nowhere
    std::string beside;    // the first file on its file system; empty: none
    // Saved although an exclusion matches it: what is named, and folders above what is.
    std::vector<std::string> spared;
};

// Reads everything once, stores what is new, and returns when the snapshot is durable and was read
// back. Sources that cannot be read are in the result's failures; the rest is saved.
// Throws RepositoryError: then there is no snapshot, and what was stored helps the next run.
SnapshotResult take_snapshot(Repository& repository, SnapshotRequest& request, Progress& progress);

}  // namespace coffre
