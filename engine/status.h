// How a repository is: what is saved and how old, when it was checked, what waits.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/check.h"
#include "engine/copy.h"
#include "engine/snapshots.h"

namespace coffre {

// Snapshots of the same host, paths and streams.
struct SnapshotGroup {
    NamedSnapshot newest;
    std::uint64_t snapshots = 0;
    // The moment that the newest one shows; when it was made, when that lies ahead.
    std::int64_t newest_ns = 0;
    std::int64_t age_s = 0;  // since then
    bool is_ahead = false;   // a wrong clock made it, and nobody knows how old it is
    // A newer group of the same host, which is not ahead, has all of its paths and streams.
    bool is_superseded = false;
};

// What snapshots made within the last days have stored, as far as they are still there. Of one that
// is ahead nobody knows when it was made.
struct Growth {
    unsigned days = 0;
    std::uint64_t snapshots = 0;
    std::uint64_t bytes_stored = 0;
};

// A session that has neither published a snapshot nor been ended.
struct UnfinishedSession {
    SessionId id;
    std::string host;
    std::uint64_t pid = 0;
    std::int64_t begun_ns = 0;
    std::int64_t last_sign_ns = 0;  // of life, by the store's clock; 0: not known
    bool has_ended = false;         // its process, on this machine: what is left is only its record
};

// What a collector has condemned and not swept yet.
struct CondemnedPacks {
    std::uint64_t packs = 0;
    std::uint64_t bytes = 0;
};

// What no snapshot needs.
struct Garbage {
    std::uint64_t packs = 0;  // of which nothing is needed
    std::uint64_t bytes = 0;  // of these
    std::uint64_t bytes_among_needed = 0;
};

struct RepositoryStatus {
    std::int64_t now_ns = 0;
    std::vector<SnapshotGroup> groups;  // by host, paths, streams
    std::vector<std::string> errors;    // one for each object that cannot be read
    std::vector<Growth> growth;         // of 7 and of 30 days
    std::uint64_t packs = 0;
    std::uint64_t stored_bytes = 0;  // all objects
    Verification verification;       // of all packs, by this machine
    std::optional<CheckRun> last_check;
    std::optional<CheckRun> last_read_data;  // of all packs in one run
    std::vector<UnfinishedSession> open_sessions;
    std::optional<CondemnedPacks> condemned;
    std::optional<Garbage> garbage;     // when it was asked for
    std::vector<CopyElsewhere> copies;  // that this machine has made
    // Paths of this machine's snapshots that share a file system with the repository.
    std::vector<std::string> paths_beside;
};

struct StatusRequest {
    SnapshotFilter filter;  // of groups and growth
    std::string location;   // the repository's folder; empty: it lies in none of this machine
    std::optional<std::int64_t> now_ns = {};  // default: this machine's clock
    bool with_garbage = false;                // walks the trees of all snapshots
};

// Reads every slot and lists every object, but walks no tree unless it is to count garbage. Changes
// nothing in the repository.
RepositoryStatus gather_status(Repository& repository, StatusRequest const& request);

// Those of `paths` that lie on the same file system as the folder `location`: what destroys the one
// may destroy the other. What does not exist here is not among them. Two file systems of one disk
// are not noticed.
std::vector<std::string> sharing_a_file_system(std::string const& location,
                                               std::vector<std::string> const& paths);

}  // namespace coffre
