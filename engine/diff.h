// What differs between two moments.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/snapshots.h"

namespace coffre {

enum class Difference {
    added,
    removed,
    content,   // and perhaps metadata
    metadata,  // only: mode, owner, attributes or time
    type,      // a file where a folder was
};

struct Change {
    Difference difference = Difference::content;
    std::string const& path;  // in the second snapshot; of what is removed, in the first
    Node const* before;       // null when added
    Node const* after;        // null when removed
};

struct EntryTotals {
    std::uint64_t files = 0;
    std::uint64_t directories = 0;
    std::uint64_t others = 0;
    std::uint64_t bytes = 0;
};

struct DiffSummary {
    EntryTotals added;    // bytes: of new files, and what changed ones grew by
    EntryTotals removed;  // bytes: of files that are gone, and what changed ones shrank by
    std::uint64_t changed = 0;
    std::uint64_t metadata_changed = 0;
    std::uint64_t types_changed = 0;
    // Folders that one snapshot could not save whole: what is added or removed there may have been
    // there in both.
    std::vector<std::string> partial;
};

enum class DiffDepth { contents, metadata };  // with the second, entries of other metadata too

// Calls `on_change` for each entry that differs between what `before` and `after` name, in the
// order of the tree; a folder that is new or gone with everything in it. A folder that differs only
// in what is in it is none. Reads no folder that is equal in both. Throws RepositoryError, also
// when neither snapshot has anything at its path.
DiffSummary diff_snapshots(Repository& repository, FoundSnapshot const& before,
                           FoundSnapshot const& after, DiffDepth depth,
                           std::function<void(Change const&)> const& on_change);

}  // namespace coffre
