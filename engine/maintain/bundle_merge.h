// Bundles that no longer speak of packs that go.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/repository.h"

namespace coffre {

enum class SmallBundles { stay, are_merged };

// Writes the rows of the packs that stay into new bundles, durably, and returns the bundles that
// these replace: those with a row of a pack for which `goes` holds, and, where they are to be
// merged, small ones when there are many. A bundle that cannot be read is an error.
std::vector<BundleId> merge_bundles(Repository& repository, SmallBundles small,
                                    std::function<bool(PackId const&)> const& goes);

}  // namespace coffre
