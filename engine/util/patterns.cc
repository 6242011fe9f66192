#include "engine/patterns.h"

#include <fnmatch.h>

#include <algorithm>
#include <span>
#include <stdexcept>

namespace coffre {

namespace {

using Components = std::span<std::string const>;

std::vector<std::string> split_path(std::string const& path) {
    std::vector<std::string> components;
    for (std::size_t start = 0; start < path.size();) {
        std::size_t const slash = std::min(path.find('/', start), path.size());
        if (slash > start) components.push_back(path.substr(start, slash - start));
        start = slash + 1;
    }
    return components;
}

bool component_matches(std::string const& pattern, std::string const& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

// All of `path` under all of `pattern`. Works along the path with the set of places in the pattern
// that are reached, so no pattern takes more than their product.
bool matches_from(Components pattern, Components path, bool only_prefix) {
    std::vector<bool> reached(pattern.size() + 1, false);
    reached[0] = true;
    auto const skip_stars = [&] {
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (reached[i] && pattern[i] == "**") reached[i + 1] = true;
        }
    };
    skip_stars();
    for (auto const& name : path) {
        std::vector<bool> next(pattern.size() + 1, false);
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            if (!reached[i]) continue;
            if (pattern[i] == "**")
                next[i] = true;
            else if (component_matches(pattern[i], name))
                next[i + 1] = true;
        }
        reached = std::move(next);
        skip_stars();
    }
    if (!only_prefix) return reached[pattern.size()];
    return std::any_of(reached.begin(), reached.end() - 1, [](bool r) { return r; });
}

void require_closed_brackets(std::string const& pattern) {
    std::size_t const open = pattern.find('[');
    if (open != std::string::npos && pattern.find(']', open + 2) == std::string::npos) {
        throw std::invalid_argument("pattern \"" + pattern + "\": '[' is not closed");
    }
}

}  // namespace

void PatternList::add(std::string const& text) {
    Pattern pattern;
    std::string rest = text;
    if (rest.starts_with('!')) {
        pattern.negated = true;
        rest = rest.substr(1);
    }
    require_closed_brackets(rest);
    pattern.anchored = rest.starts_with('/');
    pattern.components = split_path(rest);
    if (pattern.components.empty()) {
        throw std::invalid_argument("pattern \"" + text + "\" names nothing");
    }
    // What lies beneath, not the folder itself.
    if (pattern.components.back() == "**") pattern.components.emplace_back("*");
    if (!pattern.anchored) pattern.components.insert(pattern.components.begin(), "**");
    patterns_.push_back(std::move(pattern));
}

bool PatternList::matches(std::string const& path) const {
    auto const components = split_path(path);
    auto const deciding = std::find_if(patterns_.rbegin(), patterns_.rend(), [&](Pattern const& p) {
        return matches_from(p.components, components, false);
    });
    return deciding != patterns_.rend() && !deciding->negated;
}

bool PatternList::may_match_beneath(std::string const& path) const {
    auto const components = split_path(path);
    return std::any_of(patterns_.begin(), patterns_.end(), [&](Pattern const& p) {
        return !p.negated && matches_from(p.components, components, true);
    });
}

}  // namespace coffre
