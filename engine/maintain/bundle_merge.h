// Bundles that no longer speak of packs that go.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/repository.h"

namespace coffre {

enum class MergeFor { collection, repair };

// Writes the rows of the packs that stay into new bundles, durably, and returns the bundles that
// these replace: those with a row of a pack for which `goes` holds, and, for a collection, small
// ones when there are many. A bundle that cannot be read is an error for a collection; a repair has
// told of it. All that are returned were there after the new ones were durable.
std::vector<BundleId> merge_bundles(Repository& repository, MergeFor purpose,
                                    std::function<bool(PackId const&)> const& goes);

}  // namespace coffre
