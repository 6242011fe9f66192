// What a restore needs itself, or the next one will.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <vector>

#include "engine/restore/file_identity.h"

namespace coffre {

// Knows files and folders by what they are, not by their names: a path may lead through links and
// mount points.
class PathsInUse {
public:
    // What is not there, or is no path of this machine, is left out.
    explicit PathsInUse(std::vector<std::string> const& paths);

    // The path that is this file or folder; null when none is.
    std::string const* at(FileIdentity const& entry) const;
    // The path that is this file or folder or lies in it; null when none does.
    std::string const* held_by(FileIdentity const& entry) const;
    // The path that is this open folder or one above it; null when none is.
    std::string const* around(Fd const& folder) const;

private:
    std::map<FileIdentity, std::string> paths_;
    std::map<FileIdentity, std::string> holders_;  // these, and the folders above
};

}  // namespace coffre
