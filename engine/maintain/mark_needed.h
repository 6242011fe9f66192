// What a collection must leave: the chunks that snapshots need, each in one of its copies.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/reachable.h"
#include "engine/repository/stored_packs.h"
#include "engine/snapshots.h"

namespace coffre {

// Levels the index with the store's bundles. Throws RepositoryError{corrupt} when one of them is
// damaged: what is in its packs is not known.
void require_whole_index(Repository& repository);

// Marks all that `snapshots` reach, and what the blocks of packs that stay in any case rest on.
// `listed` is not older than `snapshots`. Throws RepositoryError{corrupt} when a chunk has no copy
// in it, since unreadable is not unneeded. To be called within with_sound_index(), as is the next.
Reachable mark_needed(Repository& repository, GcState const& log, StoredPacks const& listed,
                      std::vector<NamedSnapshot> const& snapshots, Progress& progress);

// A pack that is pardoned stays with all its blocks, and so with what those rest on.
void keep_bases_of_pardoned(Reachable& reachable, Repository& repository);

}  // namespace coffre
