// One snapshot slot, read and checked.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

// Throws RepositoryError{corrupt} naming the object. A killed slot's signature is checked too.
SlotContent read_slot(Repository& repository, std::string const& name);

// Whether there is a slot of this id that is not given up, by now and by `log`. Does not read it.
bool is_live(Repository& repository, SessionId const& id, GcState const& log);

// Whether it was given up, by now.
bool is_given_up(Repository& repository, SessionId const& id);

// By their times; of one time, which a user may give to many, by when they were made.
void sort_oldest_first(std::vector<NamedSnapshot>& snapshots);

// Does something with a slot or a forget that was listed: damage, and what may not be read, is
// told of. One that is gone was closed by a collector.
template <class Action>
void use_listed(Repository& repository, std::string const& name, std::vector<std::string>& damaged,
                Action const& action) {
    try {
        action();
    } catch (RepositoryError const& error) {
        if (!is_unreadable(error.kind())) throw;
        if (repository.store().stat(name)) damaged.emplace_back(error.what());
    }
}

}  // namespace coffre
