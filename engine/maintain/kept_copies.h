// The copies that a collection keeps instead of those that it drops.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/maintain/prune_plan.h"
#include "engine/progress.h"

namespace coffre {

// Reads the marked copy of each chunk that the plan drops another copy of: that one may have been
// stored because this one is damaged, and nobody here has met it yet. False when a marked copy
// cannot be read and the other can: its pack is noted as damaged, and all is to be marked anew.
bool are_kept_copies_sound(Repository& repository, Reachable& reachable, PrunePlan const& plan,
                           Progress const& progress);

// The same of packs that a sweep is about to remove: returns those that have no copy which can be
// read only there. `is_new`: packs that this run has written, and that need no look.
std::vector<PackId> without_only_copies(Repository& repository, Reachable& reachable,
                                        std::vector<PackId> const& packs,
                                        std::function<bool(PackNumber)> const& is_new,
                                        Progress const& progress);

}  // namespace coffre
