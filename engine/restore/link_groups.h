// Which entries are one file under several names.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>
#include <tuple>

#include "format/tree.h"

namespace coffre {

// Forgets a file when all its names were met: takes about 150 bytes for each that has more to come.
class LinkGroups {
public:
    // The name under which the node's file was met first; nothing when that is `path`.
    std::optional<std::string> first_of(Node const& node, std::string const& path) {
        if (node.links < 2 || node.is_directory()) return std::nullopt;
        // Size and hash too: a file that changed between its names was saved as two.
        Key const key{node.device, node.inode, node.kind, node.size, node.hash, node.target};
        auto const [group, is_new] = groups_.try_emplace(key, Group{path, node.links - 1});
        if (is_new) return std::nullopt;
        std::string first = group->second.first;
        if (--group->second.left == 0) groups_.erase(group);
        return first;
    }

private:
    using Key =
        std::tuple<std::uint64_t, std::uint64_t, NodeKind, std::uint64_t, FileHash, std::string>;
    struct Group {
        std::string first;
        std::uint64_t left = 0;
    };
    std::map<Key, Group> groups_;
};

}  // namespace coffre
