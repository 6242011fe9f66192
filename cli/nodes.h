// What commands that show entries of snapshots share: kinds and modes as text, options that filter.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "cli/context.h"
#include "engine/node_filter.h"

namespace coffre::cli {

std::string mode_text(NodeKind kind, std::uint32_t mode);  // "-rw-r--r--"
std::string kind_name(NodeKind kind);                      // "file", "dir", ...
// "/a/b", and "/a/b/" of a folder; printable.
std::string path_text(std::string const& path, NodeKind kind);

// As typed. Patterns have different names in the commands, so that each adds its own option.
struct NodeFilterArguments {
    std::vector<std::string> patterns;
    bool ignore_case = false;
    std::string larger;
    std::string smaller;
    std::string oldest;
    std::string newest;
    std::string kinds;
};

void add_node_filter(CLI::App& command, NodeFilterArguments& arguments);
// Throws std::invalid_argument.
NodeFilter node_filter(NodeFilterArguments const& arguments);

// The snapshots that match, oldest first. The message of each that cannot be read is printed.
SnapshotList matching_snapshots(GlobalOptions const& options, Repository& repository,
                                SnapshotFilter const& filter);
// "20a0b2c1 2026-08-02 13:00:05"
std::string snapshot_text(NamedSnapshot const& named);

}  // namespace coffre::cli
