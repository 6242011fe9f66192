// Files of several names that were read in this run: under their other names they need no reading.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>

#include "format/tree.h"

namespace coffre {

// Identifies a file under all its names. ctime is part of it: an inode number may be used again.
struct InodeKey {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    TimePoint ctime;

    static InodeKey of(Node const& node) { return {node.device, node.inode, node.ctime}; }
    auto operator<=>(InodeKey const&) const = default;  // NOLINT(modernize-use-nullptr)
};

// Bounded: of more files than it holds, the others are read under each name.
class ReadInodes {
public:
    // True when the file, just read, is to be remembered.
    bool remember(Node const& node) {
        if (node.links < 2 || left_.size() >= capacity) return false;
        left_[InodeKey::of(node)] = node.links - 1;
        return true;
    }
    enum class Known { no, yes, last };  // last: no other name of it is left
    Known take(Node const& node) {
        auto const found = node.links < 2 ? left_.end() : left_.find(InodeKey::of(node));
        if (found == left_.end()) return Known::no;
        if (--found->second > 0) return Known::yes;
        left_.erase(found);
        return Known::last;
    }

private:
    static constexpr std::size_t capacity = 32768;
    std::map<InodeKey, std::uint64_t> left_;  // names not met yet
};

}  // namespace coffre
