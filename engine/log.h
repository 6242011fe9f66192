// What became of one path in the course of the snapshots.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

#include "engine/snapshots.h"

namespace coffre {

enum class Happened { created, content, metadata, type, removed };

// Snapshots in a row, of one host, in which a path is the same.
struct PathVersion {
    Happened happened = Happened::created;  // since the row before
    Node const* node = nullptr;             // null when removed
    NamedSnapshot const* first = nullptr;   // of the row
    NamedSnapshot const* last = nullptr;
    std::uint64_t snapshots = 0;
};

// Calls `on_version` for each version of what is at `path`, host by host in the order of their
// names, oldest first; `snapshots` are in the order of their times. A folder has a new version when
// anything beneath it changes. Snapshots that did not save the path, as they have neither a path
// above or beneath it nor a stream of its name, say nothing about it. Nor do those that could not
// save all of the folder where it is missing, or whose folders on the way to it cannot be read: a
// message for each of the latter is returned. Throws RepositoryError, also when no snapshot has
// anything there.
std::vector<std::string> log_path(Repository& repository, std::span<NamedSnapshot const> snapshots,
                                  std::string const& path,
                                  std::function<void(PathVersion const&)> const& on_version);

}  // namespace coffre
