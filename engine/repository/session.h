// A writer's session: announced before anything is relied on, kept alive by heartbeats.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/backend/backend.h"
#include "engine/crypto/key_ring.h"
#include "engine/progress.h"
#include "format/session.h"

namespace coffre {

// Ends a session, durably: it cannot publish any more. One that has published is left as it is.
void end_session(Backend& store, KeyRing const& keys, SessionId const& id);

// What a command has to say whose session was ended from elsewhere.
RepositoryError fenced();
// Throws it when a session that has published nothing was ended.
void require_open(Backend& store, KeyRing const& keys, SessionId const& id);

class Session {
public:
    // Durably announced when this returns. Throws RepositoryError. Arguments outlive this.
    Session(Backend& store, KeyRing const& keys);
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;
    // One that has published nothing is ended, if the store lets it: nobody need wait for it.
    ~Session();

    SessionId const& id() const { return id_; }
    // The slot is durable: one that is missing from now on is a loss, not a run that was cut off.
    // The snapshot is real whether this can be said or not: a failure is only reported.
    void has_published(Progress const& progress);

private:
    void beat(std::stop_token const& stop);
    void announce(std::string const& name);
    void put(std::string const& name);

    Backend& store_;
    KeyRing const& keys_;
    SessionId id_;
    bool has_published_ = false;
    SessionRecord record_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread heart_;
};

}  // namespace coffre
