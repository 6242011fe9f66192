// Stores anew what can still be read of damaged packs.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"

namespace coffre {

struct Salvaged {
    std::uint64_t saved = 0;  // chunks
    std::uint64_t lost = 0;   // whether anybody needs them or not
};

// What only the packs `bad` hold, as far as it can be read there or anywhere, goes into new packs
// of no session. Copies in packs that a collection is about to remove, by `log`, do not count, nor
// those in `unreadable` ones, of which the bad are some.
Salvaged salvage(Repository& repository, GcState const& log, std::set<PackId> const& bad,
                 std::set<PackId> const& unreadable, Progress const& progress);

}  // namespace coffre
