// Which packs a check reads, and in which order.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/maintain/check_memory.h"

namespace coffre {

// Those of `packs` that the request wants at the time `now_s`: first what was never verified, then
// the oldest.
std::vector<PackId> plan_reads(PackSizes const& packs, CheckMemory const& memory,
                               CheckRequest const& request, std::int64_t now_s);

}  // namespace coffre
