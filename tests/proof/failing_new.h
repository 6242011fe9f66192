// operator new of this program: counts, and fails when told to.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace coffre::proof {

// The next `allocations` of this thread succeed, the one after them fails, once.
void fail_after(std::uint64_t allocations);
// None fails any more. True when one did.
bool stop_failing();
// Allocations of this thread that were not given back by it.
std::int64_t live_allocations();

}  // namespace coffre::proof
