// The records by which snapshots are given up.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/repository.h"

namespace coffre {

// The reason that goes with a snapshot that is given up before it is there: what it stores mends
// others. Nobody else may give it.
inline constexpr char const* reason_of_repair = "repair";

// The slots that are given up. A record that nobody of this repository signed gives up nothing:
// `damaged` gets a message.
std::set<SessionId> read_forgets(Repository& repository, std::vector<std::string>& damaged);
// Of these the ones that were snapshots before: without what only a repair has stored.
std::set<SessionId> read_forgets_of_snapshots(Repository& repository,
                                              std::vector<std::string>& damaged);

// Whether a forget gives it up. One that cannot be opened gives up nothing.
bool has_forget(Repository& repository, SessionId const& id);

// Gives the snapshots up, durably. Another process may have done so already. Throws
// RepositoryError{corrupt} when something else has the place of a record.
void put_forgets(Repository& repository, std::vector<SessionId> const& ids,
                 std::string const& reason);
// The same, with those in whose place they stand.
void give_up(Repository& repository, std::vector<SessionId> const& ids, std::string const& reason);

}  // namespace coffre
