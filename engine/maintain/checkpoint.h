// When the log of collections is summed up, and by what.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <set>

#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"

namespace coffre {

// The record that closes the slots whose snapshots are collected, so that they need not be listed
// for ever, and repeats all that is known; nothing when none is due, or another collector has
// condemned. `given_up`: the snapshots that were forgotten before the marks. Throws
// RepositoryError.
std::optional<LogRecord> due_checkpoint(Repository& repository, GcState const& log,
                                        std::set<SessionId> const& given_up,
                                        PruneRequest const& request);

}  // namespace coffre
