// Which paths a restore is about, by its patterns.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/restore.h"

namespace coffre {

// Paths are relative to the target, which is the snapshot's folder `from.sub_path`: a pattern may
// mean either, so that the one that a snapshot was taken with holds for its restore, too.
class ChosenPaths {
public:
    // `request` outlives this.
    explicit ChosenPaths(RestoreRequest const& request)
        : include_(request.include), exclude_(request.exclude), above_(request.from.sub_path) {
        while (above_.ends_with('/')) above_.pop_back();
        if (!above_.empty() && !above_.starts_with('/')) above_ = "/" + above_;
    }

    bool excludes(std::string const& path) const {
        return !exclude_.empty() && exclude_.matches("/" + path, saved(path));
    }
    // `is_around`: whether the folder around it is selected.
    bool includes(std::string const& path, bool is_around) const {
        if (include_.empty()) return is_around;
        return include_.decide("/" + path, saved(path)).value_or(is_around);
    }
    // The same of a start of that name which is no folder: its path is `from.sub_path`, and a
    // folder above it may be what is selected.
    bool choose_start(std::string const& name) const {
        if (exclude_.matches("/" + name, above_)) return false;
        bool is_selected = include_.empty();
        for (std::size_t end = 0; end != std::string::npos;) {
            end = above_.find('/', end + 1);
            std::string const path = above_.substr(0, end);
            std::string const other = end == std::string::npos ? "/" + name : path;
            is_selected = include_.decide(path, other).value_or(is_selected);
        }
        return is_selected;
    }
    bool may_include_beneath(std::string const& path) const {
        return include_.may_match_beneath("/" + path) || include_.may_match_beneath(saved(path));
    }

private:
    std::string saved(std::string const& path) const { return above_ + "/" + path; }

    PatternList const& include_;
    PatternList const& exclude_;
    std::string above_;
};

}  // namespace coffre
