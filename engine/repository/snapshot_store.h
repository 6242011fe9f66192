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

// The slots that are given up. A record that nobody of this repository signed gives up nothing:
// `damaged` gets a message.
std::set<SessionId> read_forgets(Repository& repository, std::vector<std::string>& damaged);

// Whether a forget gives it up. One that cannot be opened gives up nothing.
bool has_forget(Repository& repository, SessionId const& id);

// Whether there is a slot of this id that is not given up, by now and by `log`. Does not read it.
bool is_live(Repository& repository, SessionId const& id, GcState const& log);

// Whether it was given up, by now.
bool is_given_up(Repository& repository, SessionId const& id);

// Gives the snapshots up, durably. Another process may have done so already.
void put_forgets(Repository& repository, std::vector<SessionId> const& ids,
                 std::string const& reason);
// The same, with those in whose place they stand.
void give_up(Repository& repository, std::vector<SessionId> const& ids, std::string const& reason);

}  // namespace coffre
