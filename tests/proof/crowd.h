// Machines on one store, each at its own work: writers, collectors, one who forgets and takes back,
// and some of those who read, check, repair, tag, and copy from elsewhere.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "proof.h"

namespace coffre::proof {

// Whoever is in the crowd, what they do, and in which order their calls reach the store, is the
// step's. Failures of the cases: what was acknowledged and not forgotten is lost, or somebody met
// damage. Returns the calls that were made.
Names run_crowd(std::uint64_t step, Cases& cases);

}  // namespace coffre::proof
