// Who writes now, and who has stopped without a word.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "format/session.h"

namespace coffre {

// Session records and slots, as listed at one moment: records first.
struct SessionsListing {
    struct Open {
        SessionId id;
        std::int64_t seen_ns = 0;  // the newest of its record and heartbeats
    };
    std::vector<Open> open;            // neither published nor ended
    std::vector<std::string> settled;  // all records of sessions that have a slot or are closed
};

// Of "sessions/<id>", whatever follows after a full stop; nothing for another name.
std::optional<SessionId> session_of(std::string const& name);

// Whether an object of this name says that its session has published.
bool says_published(std::string const& name);

// What the session's writer said of itself in this record or heartbeat. Throws
// RepositoryError{corrupt} naming it.
SessionRecord read_session(Repository& repository, std::string const& name);
// Whether the writer is known to have no process any more.
bool has_ended(SessionRecord const& record);

SessionsListing list_sessions(Repository& repository, GcState const& log);

// What is told of an open session. One whose record cannot be read has neither host nor process.
OpenSession describe(Repository& repository, SessionsListing::Open const& session);

// Open ones that have no process any more, or none that gave a sign within an hour.
std::vector<SessionId> dead_sessions(Repository& repository, GcState const& log,
                                     std::int64_t now_ns);
// Ends these: by making the very object that such a session would have to make, so that it cannot
// publish later. Returns how many.
std::uint64_t end_dead_sessions(Repository& repository, GcState const& log, std::int64_t now_ns);

}  // namespace coffre
