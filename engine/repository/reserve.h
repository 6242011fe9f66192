// Room that is kept for the day when there is none: to give up, and to remove, takes a few small
// objects. SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"
#include "engine/error.h"

namespace coffre {

// Makes the reserve, unless it is there or there is no room for it.
void make_reserve(Backend& store);

// Frees it. False when there was none.
bool release_reserve(Backend& store);

// Runs the action, and once more with the reserve freed when there was no room.
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
