// Moves what is needed of partly needed packs into new ones.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/maintain/prune_plan.h"

namespace coffre {

// A block all of whose chunks are marked is moved as it is, sealed; the marked chunks of others
// make new blocks. Every pack is compared with its checksums first, every chunk of a new block with
// its id. Returns the packs whose rest is durable elsewhere, in packs of no session, and known by a
// bundle: all of `packs` but what request.repack_time cuts off, and what is damaged, of which
// `damaged` gets a message each; in order. Throws RepositoryError; then some packs may be in the
// store that no bundle knows: garbage.
std::vector<PackUse> repack(Repository& repository, std::vector<PackUse> const& packs,
                            Reachable const& reachable, PruneRequest const& request,
                            std::vector<std::string>& damaged, Progress& progress);

}  // namespace coffre
