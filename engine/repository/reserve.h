// Room that is kept for the day when there is none: to forget and to prune take a little.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"
#include "engine/error.h"
#include "format/limits.h"

namespace coffre {

// Thousands of records and some bundles.
inline constexpr std::size_t reserve_size = 4 * limits::mib;

// Makes the reserve unless it is there or there is no room for it. Throws
// RepositoryError.
void make_reserve(Backend& store);

// Frees it, durably. False when there was none. Throws RepositoryError.
bool release_reserve(Backend& store);

// Runs the action, and once more with the reserve freed when it throws that there is no room: it
// must be one that can be begun again.
template <class Action>
void with_reserve(Backend& store, Action const& action) {
    try {
        action();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::no_space || !release_reserve(store)) throw;
        action();
    }
}

}  // namespace coffre
