// The snapshots of a repository, and how a user names one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <set>
#include <vector>

#include "engine/repository.h"
#include "format/snapshot.h"

namespace coffre {

struct NamedSnapshot {
    SessionId id;
    Snapshot snapshot;
};

struct SnapshotList {
    std::vector<NamedSnapshot> snapshots;  // not forgotten; oldest first
    std::vector<std::string> damaged;      // one message for each object that cannot be read
    std::set<SessionId> slots;             // all that are there, whatever they hold
};

SnapshotList list_snapshots(Repository& repository);

// The moment that the snapshot shows; when it was made, where that lies before.
std::int64_t shown_ns(Snapshot const& snapshot);
// Its clock was wrong: that is more than an hour after `now_ns`.
bool is_ahead(Snapshot const& snapshot, std::int64_t now_ns);

// What it was taken of: its paths, then its streams.
std::vector<std::string> sources_of(Snapshot const& snapshot);

// Narrows a search; a list that is empty matches all.
struct SnapshotFilter {
    std::vector<std::string> hosts;  // one of them
    std::vector<std::string> paths;  // all of them must be among the snapshot's
    std::vector<std::string> tags;   // each "a,b" must hold in full; one of them suffices

    bool matches(Snapshot const& snapshot) const;
    bool is_empty() const { return hosts.empty() && paths.empty() && tags.empty(); }
};

struct FoundSnapshot {
    SessionId id;
    Snapshot snapshot;
    std::string sub_path;  // what followed the ':', else empty
};

// `name` is a hex prefix of an id, "latest", "latest~2" (two before it) or "latest@2026-08-02
// 13:00" (the newest not after that moment; none that is ahead is one of them, unless all are),
// each optionally followed by ":path/in/the/snapshot". Throws RepositoryError when none or several
// fit, naming what is there, or when the filter does not choose the one that is meant.
FoundSnapshot find_snapshot(Repository& repository, std::string const& name,
                            SnapshotFilter const& filter);
// The same in a list.
FoundSnapshot find_snapshot(SnapshotList const& list, std::string const& name,
                            SnapshotFilter const& filter);

// The same where a snapshot as a whole is meant: throws std::invalid_argument when a path follows.
NamedSnapshot find_whole_snapshot(SnapshotList const& list, std::string const& name,
                                  SnapshotFilter const& filter);

// Throws RepositoryError{failed} when the snapshot was given up since it was found: what a reader
// misses of it is no damage then.
void require_not_given_up(Repository& repository, SessionId const& id);

// Returns what `action` returns, which reads these snapshots. Damage that it meets when one of them
// was given up meanwhile is thrown as the former does.
template <class Action>
std::invoke_result_t<Action> reading(Repository& repository, std::vector<SessionId> const& ids,
                                     Action const& action) {
    try {
        return action();
    } catch (RepositoryError const& error) {
        if (error.kind() == RepositoryFailure::corrupt) {
            for (auto const& id : ids) require_not_given_up(repository, id);
        }
        throw;
    }
}

// "2026-08-02", "2026-08-02 13:00[:05[.25]]", with T instead of the blank, and Z or +02:00 behind
// it (else local time). Throws std::invalid_argument that says what is accepted.
std::int64_t parse_time(std::string const& text);

// For whoever names a path that the snapshot does not have.
RepositoryError nothing_at(Snapshot const& snapshot, std::string const& path);

// A visit to each node beneath `path` of the snapshot, directories before their entries; the first
// is the node at `path` itself. `visit` gets the path from the snapshot's root and returns whether
// to enter a directory. Throws RepositoryError when there is nothing at `path`. For a directory
// that cannot be read to its end it calls `damaged` with a message that names it, and goes on;
// without one it throws RepositoryError{corrupt}.
void walk_snapshot(Repository& repository, Snapshot const& snapshot, std::string const& path,
                   std::function<bool(std::string const&, Node const&)> const& visit,
                   std::function<void(std::string const&)> const& damaged = nullptr);

}  // namespace coffre
