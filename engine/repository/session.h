// A writer's session: announced before anything is relied on, kept alive by heartbeats.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/backend/backend.h"
#include "engine/crypto/key_ring.h"
#include "format/session.h"

namespace coffre {

class Session {
public:
    // Durably announced when this returns. Throws RepositoryError.
    Session(Backend& store, KeyRing const& keys);
    Session(Session const&) = delete;
    Session& operator=(Session const&) = delete;
    ~Session();

    SessionId const& id() const { return id_; }

private:
    void beat(std::stop_token const& stop);
    void announce(std::string const& name);

    Backend& store_;
    KeyRing const& keys_;
    SessionId id_;
    SessionRecord record_;
    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::jthread heart_;
};

}  // namespace coffre
