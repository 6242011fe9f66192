#include "engine/maintain/lost_snapshots.h"

#include "engine/index/index.h"
#include "engine/maintain/open_sessions.h"
#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"

namespace coffre {

namespace {

bool is_there(Repository& repository, SessionId const& id) {
    return repository.store().stat(names::snapshot(id)) || has_forget(repository, id);
}

// Of a slot that cannot be read: nothing. That is told of elsewhere.
std::optional<SessionId> previous_of(Repository& repository, SessionId const& id) {
    try {
        auto const slot = read_slot(repository, names::snapshot(id));
        if (!slot.killed()) return slot.snapshot->previous;
    } catch (RepositoryError const& error) {
        if (!is_unreadable(error.kind())) throw;
    }
    return std::nullopt;
}

// The sessions of all packs, each with one of them.
std::map<SessionId, PackId> owners_of_packs(Repository& repository, GcState const& log) {
    std::map<SessionId, PackId> owners;
    repository.index_view().each_pack([&](PackNumber, IndexedPack const& pack) {
        if (!pack.session.is_zero() && !log.is_swept(pack.id))
            owners.emplace(pack.session, pack.id);
    });
    return owners;
}

}  // namespace

LostSnapshots lost_before(Repository& repository, SnapshotList const& list, GcState const& log) {
    std::map<SessionId, SessionId> followed;  // by whom
    auto forgotten = list.slots;
    for (auto const& named : list.snapshots) {
        followed.emplace(named.snapshot.previous, named.id);
        forgotten.erase(named.id);
    }
    for (auto const& id : forgotten) {
        if (auto const previous = previous_of(repository, id)) followed.emplace(*previous, id);
    }
    LostSnapshots lost;
    auto const require = [&](SessionId const& id, std::string const& why) {
        bool const is_known = list.slots.contains(id) || log.closed.contains(id);
        if (!is_known && !is_there(repository, id)) lost.emplace(id, why);
    };
    for (auto const& [previous, follower] : followed) {
        if (!previous.is_zero()) require(previous, names::snapshot(follower) + " followed it");
    }
    for (auto const& object : repository.store().list("sessions/")) {
        if (!says_published(object.name)) continue;
        require(*session_of(object.name), object.name + " says that it was there");
    }
    return lost;
}

LostSnapshots lost_owners(Repository& repository, SnapshotList const& list, GcState const& log) {
    LostSnapshots lost;
    for (auto const& [session, pack] : owners_of_packs(repository, log)) {
        if (list.slots.contains(session) || log.closed.contains(session)) continue;
        // In this order: the record goes when the slot is there.
        bool const is_open = repository.store().stat(names::session(session)).has_value();
        if (is_open || is_there(repository, session)) continue;
        lost.emplace(session, names::pack(pack) + " was stored for it");
    }
    return lost;
}

LostSnapshots lost_heads(Repository& repository, GcState const& log) {
    LostSnapshots lost;
    for (auto const& [writer, head] : repository.local_state().heads) {
        if (log.closed.contains(head) || is_there(repository, head)) continue;
        lost.emplace(head, "this machine has seen it");
    }
    return lost;
}

LostSnapshots lost_snapshots(Repository& repository, SnapshotList const& list, GcState const& log) {
    LostSnapshots lost = lost_before(repository, list, log);
    lost.merge(lost_owners(repository, list, log));
    return lost;
}

std::string describe_lost(LostSnapshots::value_type const& lost) {
    return names::snapshot(lost.first) + ": is missing; " + lost.second;
}

}  // namespace coffre
