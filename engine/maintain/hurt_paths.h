// Which files of which snapshots cannot be restored as they were.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repair.h"
#include "engine/repository/repository.h"

namespace coffre {

// All that lacks a chunk, or has it only in the packs `bad` and cannot read it there; by path.
std::vector<HurtPath> find_hurt_paths(Repository& repository,
                                      std::vector<NamedSnapshot> const& snapshots,
                                      std::set<PackId> const& bad, Progress& progress);

}  // namespace coffre
