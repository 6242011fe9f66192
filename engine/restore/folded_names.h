// Where the target's file system takes names that differ in capitals for the same, entries of a
// snapshot may become one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <set>

#include "engine/restore/target.h"

namespace coffre {

// Of one folder of the target.
class FoldedNames {
public:
    // Throws SourceError when what is `there` at `path` is no entry of that very name: another one
    // of the snapshot, or one that was there under other capitals.
    void require_own(Target const& target, std::string const& path, struct stat const& there);
    // False once that was so: nobody knows what in the folder is extra.
    bool are_told_apart() const { return are_told_apart_; }

private:
    bool fold(Target const& target, std::string const& path, struct stat const& there);

    std::optional<bool> fold_;  // nothing: not known yet
    std::set<std::string> names_there_;
    std::set<FileIdentity> met_;
    bool are_told_apart_ = true;
};

}  // namespace coffre
