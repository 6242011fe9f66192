// Moves what is needed of partly needed packs into new ones.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/maintain/prune_plan.h"

namespace coffre {

struct Repacked {
    // The packs whose rest is durable elsewhere, in packs of no session, and known by a bundle: all
    // but what is damaged, and what request.repack_time cuts off; in order.
    std::vector<PackUse> moved;
    std::vector<std::string> damaged;  // a message each
};

// A block all of whose chunks are marked is moved as it is, sealed; the marked chunks of others
// make new blocks. Every pack is compared with its checksums first, every chunk of a new block with
// its id.
// Throws RepositoryError; then some packs may be in the store that no bundle knows: garbage.
Repacked repack(Repository& repository, std::vector<PackUse> const& packs,
                Reachable const& reachable, PruneRequest const& request, Progress& progress);

}  // namespace coffre
