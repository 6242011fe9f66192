// What a repository has by now, where others may bring or change the same snapshots at once.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <set>
#include <tuple>

#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

class Arrivals {
public:
    // `repository` outlives this.
    explicit Arrivals(Repository& repository) : repository_(repository) {}

    // Takes note of all that are there. Returns a message for each that cannot be read.
    std::vector<std::string> list();
    // False when it was known.
    bool add(NamedSnapshot named);

    // The known one that shows the same, perhaps under other keys; or null. Valid until the next
    // call.
    NamedSnapshot const* twin_of(Snapshot const& snapshot) const;
    // The same by now: lists what is new before, and knows whether it is still there.
    NamedSnapshot const* live_twin_of(Snapshot const& snapshot);
    // Whether another one stands in its place by now, be it given up or not.
    bool is_replaced(SessionId const& id);

private:
    // The same in every repository that holds the snapshot: host, begin and end, digest.
    using Identity = std::tuple<std::string, std::int64_t, std::int64_t, Digest>;
    static Identity identity(Snapshot const& snapshot);
    void list_new();

    Repository& repository_;
    std::set<SessionId> seen_;
    std::map<Identity, NamedSnapshot> known_;
    std::set<SessionId> replaced_;
};

}  // namespace coffre
