// Snapshots that get other tags, are pinned, or come back after they were forgotten: each is
// published anew, under a new id.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>

#include "engine/progress.h"
#include "engine/snapshots.h"

namespace coffre {

struct TagChange {
    std::optional<std::vector<std::string>> set;  // instead of those there are
    std::vector<std::string> add;
    std::vector<std::string> remove;
    std::optional<bool> pin;  // a pinned snapshot is never forgotten

    bool empty() const { return !set && add.empty() && remove.empty() && !pin; }
};

struct Republished {
    SessionId was;
    NamedSnapshot now;
};

// Publishes each of the snapshots with that change and gives the old one up; leaves those in which
// the change would change nothing. Returns those that it changed, and calls `on_changed` with each
// at once. Throws RepositoryError: {failed} for one that was given up or changed since it was
// listed; those before it are changed.
std::vector<Republished> change_tags(Repository& repository,
                                     std::vector<NamedSnapshot> const& snapshots,
                                     TagChange const& change, Progress& progress,
                                     std::function<void(Republished const&)> const& on_changed);

// The snapshots that are forgotten and of which nothing is collected, or about to be, but for those
// of which there is a newer slot: with other tags, or taken back. Walks their trees.
SnapshotList forgotten_snapshots(Repository& repository);

// Takes back the forgetting of the snapshot whose id begins with `prefix`, unless that was done
// before: then tells as what. Throws RepositoryError: {failed} when there is none, or when
// something that it needs has been collected, or is about to.
Republished unforget(Repository& repository, std::string const& prefix, Progress& progress);

}  // namespace coffre
