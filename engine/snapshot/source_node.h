// What the file system says of an entry, as a node.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <map>
#include <optional>
#include <utility>

#include "format/tree.h"

namespace coffre {

// Remembers the names of users and groups. Used by one thread.
class SourceNodes {
public:
    // All but contents, attributes and link target.
    Node make(std::string name, struct stat const& status);
    // That a name could not be looked up, once for each.
    std::optional<std::string> take_failure() { return std::exchange(failure_, std::nullopt); }

private:
    template <class LookUp>
    std::string const& known(std::map<std::uint32_t, std::string>& names, std::uint32_t number,
                             LookUp const& look_up);

    std::optional<std::string> failure_;
    std::map<std::uint32_t, std::string> users_;
    std::map<std::uint32_t, std::string> groups_;
};

// Whether a file or link needs no reading: kind, size, inode and both times are those of the parent
// snapshot's node, and the times are older than that snapshot's start by more than 2 s. Closer ones
// may hide a later change within the clock's granularity.
bool is_unchanged(Node const& now, Node const& before, std::int64_t parent_started_ns);

}  // namespace coffre
