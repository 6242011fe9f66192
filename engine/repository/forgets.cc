#include "engine/repository/forgets.h"

#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/util/clock.h"
#include "format/limits.h"

namespace coffre {

namespace {

// Throws RepositoryError{corrupt} for what nobody of this repository signed.
Bytes open_genuine(Repository& repository, std::string const& name) {
    Bytes const bytes = get_whole(repository.store(), name, limits::object_size);
    return repository.keys().open_signed_object(ObjectKind::forget, name, bytes);
}

// Calls `use(id, record)` for each that is genuine.
template <class Use>
void each_forget(Repository& repository, std::vector<std::string>& damaged, Use const& use) {
    for (auto const& object : repository.store().list("forgets/")) {
        use_listed(repository, object.name, damaged, [&] {
            Bytes const record = open_genuine(repository, object.name);
            if (auto const id = SessionId::parse(last_component(object.name))) use(*id, record);
        });
    }
}

std::optional<SessionId> replaced_by(Repository& repository, SessionId const& id) {
    try {
        auto const slot = read_slot(repository, names::snapshot(id));
        return slot.killed() ? std::nullopt : slot.snapshot->was;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return std::nullopt;
    }
}

// The snapshots in whose place it stands and that nobody came to give up, the oldest first: they
// would count again without it.
std::vector<SessionId> still_behind(Repository& repository, SessionId const& id) {
    std::vector<SessionId> behind;
    std::set<SessionId> seen{id};
    for (auto next = replaced_by(repository, id); next && seen.insert(*next).second;
         next = replaced_by(repository, *next)) {
        if (!repository.store().stat(names::snapshot(*next))) break;
        if (!has_forget(repository, *next)) behind.insert(behind.begin(), *next);
    }
    return behind;
}

}  // namespace

std::set<SessionId> read_forgets(Repository& repository, std::vector<std::string>& damaged) {
    std::set<SessionId> forgotten;
    each_forget(repository, damaged, [&](SessionId const& id, ByteView) { forgotten.insert(id); });
    return forgotten;
}

std::set<SessionId> read_forgets_of_snapshots(Repository& repository,
                                              std::vector<std::string>& damaged) {
    std::set<SessionId> forgotten;
    each_forget(repository, damaged, [&](SessionId const& id, ByteView record) {
        bool const is_of_repair = naming(
            names::forget(id), [&] { return decode_forget(record).reason == reason_of_repair; });
        if (!is_of_repair) forgotten.insert(id);
    });
    return forgotten;
}

bool has_forget(Repository& repository, SessionId const& id) {
    std::string const name = names::forget(id);
    try {
        if (!repository.store().stat(name)) return false;
        open_genuine(repository, name);
        return true;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return false;
    }
}

void put_forgets(Repository& repository, std::vector<SessionId> const& ids,
                 std::string const& reason) {
    Bytes const record = encode_forget({now_ns(), reason});
    for (auto const& id : ids) {
        std::string const name = names::forget(id);
        Bytes const object = repository.keys().seal_signed_object(ObjectKind::forget, name, record);
        bool const is_there = repository.store().put(name, object) == PutResult::exists;
        if (is_there) open_genuine(repository, name);  // else it counts for nothing
    }
    repository.store().barrier();
}

void give_up(Repository& repository, std::vector<SessionId> const& ids, std::string const& reason) {
    std::vector<SessionId> all;
    for (auto const& id : ids) {
        auto const behind = still_behind(repository, id);
        all.insert(all.end(), behind.begin(), behind.end());
        all.push_back(id);
    }
    put_forgets(repository, all, reason);
}

}  // namespace coffre
