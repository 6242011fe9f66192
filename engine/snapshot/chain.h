// A writer's snapshots form a chain, so that one that is taken away is missed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "format/snapshot.h"

namespace coffre {

// Makes the snapshot the next one of this machine.
void continue_chain(Repository& repository, Snapshot& snapshot);

// Remembers that it was published. It is real whether this can be kept or not: a failure is only
// reported.
void remember_published(Repository& repository, SessionId const& id, Snapshot const& snapshot,
                        GcState const& log, Progress const& progress);

}  // namespace coffre
