// Makes packs known and the snapshot real: bundles on the way, census and slot at the end.
//
// The order is the commit protocol: docs/architecture.md, section "Commit".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>

#include "engine/repository/pack_store.h"
#include "engine/repository/repository.h"
#include "engine/snapshot/census.h"
#include "engine/snapshot/claimed.h"
#include "engine/snapshots.h"

namespace coffre {

// add() by one thread, then finish_packs() by another after it.
class Publisher {
public:
    // All arguments outlive this.
    Publisher(Repository& repository, SessionId const& session, ClaimedChunks& claimed);

    // A pack that was put; its bundle follows after 32 packs, 4 MiB of directories or a minute.
    void add(BundleRow row);

    // Everything but the snapshot itself is durable and known when this returns.
    void finish_packs();
    // Publishes the snapshot, durably, after every pack of the census was seen in the store, and
    // reads it back. Throws RepositoryError: {fenced} when the session was ended by a collector,
    // {failed} when the snapshot's texts are longer than the format allows.
    void publish(Snapshot const& snapshot, Census const& reused);

private:
    void write_bundle();
    void take_census(Census const& reused);

    Repository& repository_;
    SessionId session_;
    ClaimedChunks& claimed_;
    OpenBundle pending_;
    Census written_;
    std::chrono::steady_clock::time_point last_bundle_ = std::chrono::steady_clock::now();
};

}  // namespace coffre
