// The commands that save no files: what each makes of a repository of two snapshots.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proof.h"

namespace coffre::proof {

struct MaintenanceChange {
    std::string name;
    void (*prepare)(Repository& repository);
    // May be run again, wherever it ended.
    void (*run)(Repository& repository);
    bool is_readable_before = true;
};

std::vector<MaintenanceChange> const& maintenance_changes();

// The trees of all snapshots, whatever their ids are.
using Contents = std::set<std::string>;
Contents contents_of(Repository& repository);

// Whether somebody who ended on the way has left what was there before and is to stay, and nothing
// that was never there.
bool lies_between(Contents const& left, Contents const& before, Contents const& after);

}  // namespace coffre::proof
