// What a snapshot depends on.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>

#include "format/id.h"

namespace coffre {

// Packs whose presence a snapshot depends on, with their sizes. By their names: the index may be
// built anew meanwhile, and number them otherwise.
using Census = std::map<PackId, std::uint64_t>;

}  // namespace coffre
