// What the collectors' log gives up goes from the store.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"

namespace coffre {

// Removes what was swept, whoever wrote that, what is closed, and the records of sessions that are
// over. Returns the packs that went. What is no file is told of, and stays. Throws RepositoryError.
PruneSums::Amount remove_what_was_swept(Repository& repository, GcState const& log,
                                        Progress& progress);

// Removes the log's records of numbers below `first`, which a later checkpoint repeats. The
// checkpoint before the last one is to stay, with all since: should the last be damaged, these say
// what it says. Throws RepositoryError.
void remove_records_before(Backend& store, std::uint64_t first, Progress& progress);

}  // namespace coffre
