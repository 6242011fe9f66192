// Which entries of a snapshot are meant: by name, size, time and kind.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/patterns.h"
#include "format/tree.h"

namespace coffre {

// What is not set matches everything.
class NodeFilter {
public:
    enum class Case { exact, ignored };  // of ASCII letters

    explicit NodeFilter(Case letters = Case::exact) : letters_(letters) {}

    // Entries match that a PatternList of all patterns matches.
    // Throws std::invalid_argument.
    void add_pattern(std::string const& pattern);

    std::optional<std::uint64_t> larger_than;  // with one of these two only files match
    std::optional<std::uint64_t> smaller_than;
    std::optional<TimePoint> oldest;  // not modified before
    std::optional<TimePoint> newest;  // nor after
    std::vector<NodeKind> kinds;      // one of them

    // `folder` is the path of the folder that the entry is in, from the root: "" or "/a/b". It is
    // not looked at unless wants_folder() holds.
    bool matches(std::string const& folder, Node const& node) const;
    bool wants_folder() const { return has_paths_; }
    // True when something beneath this folder may match.
    bool may_match_beneath(std::string const& folder) const;

private:
    std::string as_compared(std::string text) const;
    bool matches_fields(Node const& node) const;
    bool matches_size(Node const& node) const;
    bool matches_path(std::string const& folder, std::string const& name) const;

    Case letters_;
    PatternList patterns_;
    PatternList last_names_;  // what the patterns end in, but for those that take back
    bool has_paths_ = false;  // not names alone
};

}  // namespace coffre
