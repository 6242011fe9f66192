// What one snapshot alone needs, among several.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository/reachable.h"

namespace coffre {

// Of each of the snapshots, by its place, the stored bytes that none of the others needs. Marks
// what all of them need in `all`, in which nothing is marked yet. Throws as Reachable::mark().
std::vector<std::uint64_t> sole_needs(Repository& repository,
                                      std::vector<NamedSnapshot> const& snapshots, Reachable& all,
                                      Progress const& progress);

}  // namespace coffre
