#include "engine/maintain/open_sessions.h"

#include <map>
#include <set>

#include "engine/repository/names.h"
#include "engine/repository/session.h"
#include "engine/util/process.h"
#include "format/limits.h"
#include "format/mutant.h"
#include "format/snapshot.h"

namespace coffre {

namespace {

// Six heartbeats.
constexpr std::int64_t silence_ns = 3600 * std::int64_t{1'000'000'000};
// A clock of the writer that is years ahead, more likely than one of this machine that is behind.
constexpr std::int64_t far_future_ns = std::int64_t{30} * 24 * silence_ns;

// Nothing when it cannot be read: a session is open all the same.
std::optional<SessionRecord> read_record(Repository& repository, SessionId const& id) {
    try {
        return read_session(repository, names::session(id));
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return std::nullopt;
    }
}

bool is_dead(Repository& repository, SessionsListing::Open const& session, std::int64_t now_ns) {
    std::int64_t const age_ns = now_ns - session.seen_ns;
    if (age_ns > silence_ns || age_ns < -far_future_ns) return true;
    auto const record = read_record(repository, session.id);
    return record && has_ended(*record);
}

}  // namespace

std::optional<SessionId> session_of(std::string const& name) {
    std::string const last = last_component(name);
    return SessionId::parse(last.substr(0, last.find('.')));
}

bool says_published(std::string const& name) {
    auto const id = session_of(name);
    return id && name == names::published(*id);
}

SessionRecord read_session(Repository& repository, std::string const& name) {
    Bytes const object = get_whole(repository.store(), name, limits::object_size);
    return naming(name, [&] {
        return decode_session(repository.keys().open_object(ObjectKind::session, name, object));
    });
}

bool has_ended(SessionRecord const& record) {
    return has_ended(
        ProcessIdentity{record.boot_id, record.pid_namespace, record.pid, record.process_start});
}

SessionsListing list_sessions(Repository& repository, GcState const& log) {
    Backend& store = repository.store();
    auto const records = store.list("sessions/");
    std::set<SessionId> slots;
    for (auto const& object : store.list("snapshots/")) {
        if (auto const id = SessionId::parse(last_component(object.name))) slots.insert(*id);
    }
    SessionsListing listing;
    std::map<SessionId, std::int64_t> open;
    std::vector<SessionId> lost;  // lost_before() tells of them
    for (auto const& object : records) {
        auto const id = session_of(object.name);
        if (!id) continue;
        if (slots.contains(*id) || log.closed.contains(*id)) {
            listing.settled.push_back(object.name);
        } else if (says_published(object.name)) {
            lost.push_back(*id);
        } else {
            auto& seen = open[*id];
            seen = std::max(seen, object.modified_ns);
        }
    }
    for (auto const& id : lost) open.erase(id);
    for (auto const& [id, seen] : open) listing.open.push_back({id, seen});
    return listing;
}

OpenSession describe(Repository& repository, SessionsListing::Open const& session) {
    OpenSession told{session.id.hex(), "", 0, session.seen_ns};
    if (auto const record = read_record(repository, session.id)) {
        told.host = record->host;
        told.pid = record->pid;
    }
    return told;
}

std::vector<SessionId> dead_sessions(Repository& repository, GcState const& log,
                                     std::int64_t now_ns) {
    std::vector<SessionId> dead;
    for (auto const& session : list_sessions(repository, log).open) {
        if (is_dead(repository, session, now_ns)) dead.push_back(session.id);
    }
    return dead;
}

std::uint64_t end_dead_sessions(Repository& repository, GcState const& log, std::int64_t now_ns) {
    auto const dead = dead_sessions(repository, log, now_ns);
    for (auto const& id : dead) end_session(repository.store(), repository.keys(), id);
    return dead.size();
}

}  // namespace coffre
