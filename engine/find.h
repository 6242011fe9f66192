// Looks for entries in many snapshots at once.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>

#include "engine/node_filter.h"
#include "engine/snapshots.h"

namespace coffre {

// An entry as it is in one or more snapshots: content, metadata and path are the same in them. Of a
// folder, what is in it does not count.
struct FoundVersion {
    std::string path;
    NodeKind kind = NodeKind::file;
    std::uint64_t size = 0;
    TimePoint mtime;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t snapshots = 0;
    NamedSnapshot const* oldest = nullptr;  // of these
    NamedSnapshot const* newest = nullptr;
};

struct FindResult {
    std::uint64_t versions = 0;
    // Parts of folders that cannot be read, each with the newest snapshot that it is in: what is
    // in them, or beneath, is not found.
    std::vector<std::string> damaged;
};

struct FindLimits {
    std::uint64_t versions = 2'000'000;
};

// Calls `found` for each version of each entry that matches, folder by folder in the order of their
// names, the versions of an entry in the order of their oldest snapshots. `snapshots` are in the
// order of their times.
//
// What snapshots share at the same path is read once. Takes about 200 bytes of memory for each
// piece of a folder (of 64 to 1,024 entries) that differs, 4 for each place where a match or a part
// of a folder stands in one, and 350 for each version that is found, besides 64 MiB of decoded
// blocks and pieces. Throws RepositoryError, also when more than `limits` allows is found.
FindResult find_versions(Repository& repository, std::span<NamedSnapshot const> snapshots,
                         NodeFilter const& filter,
                         std::function<void(FoundVersion const&)> const& found,
                         FindLimits const& limits = {});

}  // namespace coffre
