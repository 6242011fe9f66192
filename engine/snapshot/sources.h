// What a snapshot is taken of: paths, and streams that stand beside them at its root.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "engine/snapshot.h"

namespace coffre {

// Absolute, without "." and "..", without trailing slashes; sorted so that what lies beneath a
// folder follows it.
struct SourcePaths {
    std::vector<std::string> named;      // all that the user gave
    std::vector<std::string> outermost;  // those that lie beneath no other
};

// The paths of the request. Throws SourceError when there is nothing to save, RepositoryError
// {stream_failed} when a stream has the name of what a path puts at the root.
SourcePaths source_paths(SnapshotRequest const& request);

}  // namespace coffre
