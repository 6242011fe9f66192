// The snapshot that a new one is compared with, and what of earlier ones may be relied on.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <set>

#include "engine/progress.h"
#include "engine/repository/chunk_reader.h"
#include "engine/repository/gc_state.h"
#include "engine/snapshot.h"
#include "engine/snapshots.h"

namespace coffre {

// The parent of the snapshot `begun`, if it is usable: what the request says, or the newest one of
// the same host and paths.
std::optional<NamedSnapshot> find_parent(Repository& repository, SnapshotRequest const& request,
                                         Snapshot const& begun, GcState& log,
                                         Progress const& progress);

// `parent`, or nothing when it lacks anything. Levels the index with the store's bundles before.
// Packs that the store has lost are named to `progress` and count as condemned in `log` from then
// on: what the sources still hold of them is stored again.
std::optional<NamedSnapshot> usable_parent(Repository& repository,
                                           std::optional<NamedSnapshot> parent, GcState& log,
                                           Progress const& progress);

// Levels the index, and notes in `log` what is lost, as usable_parent() does.
void note_lost_packs(Repository& repository, GcState& log, Progress const& progress);

// By the chunk that lists what is in them.
using WholeFolders = std::set<ChunkId>;

// Whether every chunk that the snapshot needs is in a pack that a writer who has read `log` may
// rely on. Folders that are in `known` were found whole already; those of this one are then, too,
// if it lacks nothing.
bool lacks_nothing(Repository& repository, Snapshot const& snapshot, GcState const& log,
                   WholeFolders& known, Progress const& progress);

// Spares the next usable_parent() a look at all that the snapshot `published` needs, which its
// writer has stored or found in the index of that generation: one that was built anew since may not
// know it.
void note_whole(Repository& repository, std::uint64_t generation, SessionId const& published,
                std::optional<SessionId> const& parent);

// Packs of trees count as condemned in `log` from then on: no tree is used again.
void distrust_trees(Repository& repository, GcState& log);

// Whether every chunk of the content, and of the recipes that list them, has a copy in a pack that
// a writer who has read `log` may rely on.
bool is_usable(ChunkReader& reader, GcState const& log, Content const& content);

}  // namespace coffre
