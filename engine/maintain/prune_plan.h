// What a collection is to do with each pack.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/reachable.h"
#include "engine/repository/stored_packs.h"

namespace coffre {

struct PackUse {
    PackId id;
    std::optional<PackNumber> number;  // none: in no bundle
    PackKind kind = PackKind::data;
    std::uint64_t size = 0;
    std::uint64_t needed = 0;          // stored bytes of chunks that are marked
    std::uint64_t unused = 0;          // and of those that are not
    std::uint64_t directory_hash = 0;  // XXH3 of the directory that the marks are about
    bool is_needed = false;
    bool is_small = false;
};

struct PrunePlan {
    std::vector<PackId> unneeded;
    std::vector<PackUse> repack;
    bool has_leftovers = false;  // unneeded packs of a collection that did not finish
    PruneSums sums;
};

// What was in the store at one moment: the packs first, without those that were ever swept, since
// deleting them may take a while; then the slots of snapshots, whatever they hold.
struct StoreListing {
    StoredPacks packs;
    std::set<SessionId> slots;

    StoreListing(Repository& repository, GcState const& log);
};

// `listed` is older than the list of snapshots that were marked, so that a pack that is not needed
// by any of them, and whose session has a slot, is not needed by that one either. Throws
// RepositoryError.
PrunePlan plan_prune(Repository& repository, GcState const& log, StoreListing const& listed,
                     Reachable const& reachable, PruneRequest const& request);

}  // namespace coffre
