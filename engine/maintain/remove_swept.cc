#include "engine/maintain/remove_swept.h"

#include "engine/maintain/open_sessions.h"
#include "engine/repository/names.h"

namespace coffre {

namespace {

bool remove_or_tell(Backend& store, std::string const& name, Progress& progress) {
    try {
        store.remove(name);
        return true;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        progress.report_failure("", error.what());
        return false;
    }
}

void remove_closed(Backend& store, std::string const& folder, GcState const& log,
                   Progress& progress) {
    for (auto const& object : store.list(folder)) {
        auto const id = SessionId::parse(last_component(object.name));
        if (id && log.closed.contains(*id)) remove_or_tell(store, object.name, progress);
    }
}

}  // namespace

PruneSums::Amount remove_what_was_swept(Repository& repository, GcState const& log,
                                        Progress& progress) {
    Backend& store = repository.store();
    PruneSums::Amount removed;
    store.each("packs/", [&](ObjectInfo const& object) {
        auto const id = names::pack_of(object.name);
        if (!id || !log.is_swept(*id)) return;
        if (!remove_or_tell(store, object.name, progress)) return;
        ++removed.packs;
        removed.bytes += object.size;
    });
    for (auto const& bundle : log.replaced) remove_or_tell(store, names::bundle(bundle), progress);
    remove_closed(store, "snapshots/", log, progress);
    remove_closed(store, "forgets/", log, progress);
    auto const settled = list_sessions(repository, log).settled;
    // Slots that were put and not synced yet must not be lost while what they settle is gone.
    store.barrier();
    for (auto const& name : settled) remove_or_tell(store, name, progress);
    store.barrier();
    return removed;
}

void remove_records_before(Backend& store, std::uint64_t first, Progress& progress) {
    for (auto const& object : store.list("gclog/")) {
        auto const number = names::number_of_log_record(object.name);
        if (number && *number < first) remove_or_tell(store, object.name, progress);
    }
}

}  // namespace coffre
