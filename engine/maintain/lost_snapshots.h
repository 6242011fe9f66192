// Snapshots whose slots somebody has taken away.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <string>

#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

// Each with the object that says that it was there.
using LostSnapshots = std::map<SessionId, std::string>;

// Those that a slot names as the one before it, forgotten slots too, or whose session says that it
// was published, and that are neither there nor given up. `list` is not older than `log`. Throws
// RepositoryError when a slot cannot be read though it is not damaged.
LostSnapshots lost_before(Repository& repository, SnapshotList const& list, GcState const& log);

// Those that packs of the index were stored for: a session's record is there until its slot is, and
// a slot until it is closed for ever. To be called within with_sound_index(), as is the next one.
LostSnapshots lost_owners(Repository& repository, SnapshotList const& list, GcState const& log);

// The newest ones that this machine has seen of each writer.
LostSnapshots lost_heads(Repository& repository, GcState const& log);

inline constexpr char const* accept_rollback_hint =
    ". If the repository was put back from a copy on purpose, add --accept-rollback to a command";

// What others tell of: the first two.
LostSnapshots lost_snapshots(Repository& repository, SnapshotList const& list, GcState const& log);

// What is said of one: names both objects.
std::string describe_lost(LostSnapshots::value_type const& lost);

}  // namespace coffre
