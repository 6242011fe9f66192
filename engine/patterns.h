// Which paths a user's patterns name.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace coffre {

// Patterns in the order given; the last one that matches decides. "!pattern" takes back what it
// matches, and all that lies beneath.
//
// `*`, `?` and `[a-z]` stand within one component of a path, `**` for any number of components.
// A pattern that begins with '/' is matched from the root, any other at every depth. A directory
// that is excluded is not entered, so nothing beneath it can be taken back.
class PatternList {
public:
    // A component "." counts for nothing. Throws std::invalid_argument when the text names nothing,
    // or has an unclosed '[' or a component "..".
    void add(std::string const& text);
    bool empty() const { return patterns_.empty(); }

    // `path` is absolute. True when the last pattern that matches is not a "!pattern".
    bool matches(std::string const& path) const { return matches(path, path); }
    // The same for what has two paths: a pattern matches it that matches one of them.
    bool matches(std::string const& path, std::string const& other) const {
        return decide(path, other).value_or(false);
    }
    // Nothing when no pattern matches.
    std::optional<bool> decide(std::string const& path, std::string const& other) const;
    // True when something beneath the directory `path` may match.
    bool may_match_beneath(std::string const& path) const;

private:
    struct Pattern {
        std::vector<std::string> components;
        bool anchored = false;
        bool negated = false;
        bool is_last_literal = false;
    };
    static bool may_end_at(Pattern const& pattern, std::string const& name);
    static bool is_about(Pattern const& pattern, std::vector<std::string> const& path);
    static bool matches_all(Pattern const& pattern, std::vector<std::string> const& path);

    std::vector<Pattern> patterns_;
};

}  // namespace coffre
