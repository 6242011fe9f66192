#include "engine/snapshots.h"

#include <algorithm>

#include "engine/repository/forgets.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/util/clock.h"
#include "engine/util/text.h"
#include "format/limits.h"

namespace coffre {

namespace {

// With "": has none.
bool has_tags(Snapshot const& snapshot, std::string const& all_of) {
    if (all_of.empty()) return snapshot.tags.empty();
    auto const tags = split_at_commas(all_of);
    return std::all_of(tags.begin(), tags.end(), [&](std::string const& tag) {
        return std::find(snapshot.tags.begin(), snapshot.tags.end(), tag) != snapshot.tags.end();
    });
}

std::map<WriterId, SessionId> newest_of_each(SnapshotList const& list) {
    std::map<WriterId, NamedSnapshot const*> newest;
    for (auto const& named : list.snapshots) {
        auto const*& head = newest[named.snapshot.writer];
        if (head == nullptr || head->snapshot.sequence <= named.snapshot.sequence) head = &named;
    }
    std::map<WriterId, SessionId> heads;
    for (auto const& [writer, named] : newest) heads.emplace(writer, named->id);
    return heads;
}

// The newest snapshot of every writer: one that is gone the next time was taken away, and is missed
// until that is accepted. `accounted`: those that were read just now, or may be gone. One that is
// listed and cannot be read is waited for.
void remember_heads(Repository& repository, SnapshotList const& list,
                    std::set<SessionId> const& accounted, std::set<SessionId> const& closed) {
    auto const newest = newest_of_each(list);
    auto const change = [&](LocalState& state) {
        // Of writers that have left nothing: machines without a cache are new ones in each run.
        std::erase_if(state.heads, [&](auto const& head) {
            return head.first != state.writer && closed.contains(head.second) &&
                   !newest.contains(head.first);
        });
        for (auto const& [writer, head] : newest) {
            if (writer == state.writer) continue;
            SessionId const seen = state.heads.try_emplace(writer, head).first->second;
            if (accounted.contains(seen)) state.heads[writer] = head;
        }
    };
    LocalState changed = repository.local_state();
    change(changed);
    if (changed == repository.local_state()) return;
    try {
        // A slot that its writer has not synced yet may be gone after a power cut: no rollback.
        repository.store().barrier();
        repository.update_local_state(change);
    } catch (SourceError const&) {
        // Without it a later rollback goes unnoticed here; what was asked for works all the same.
    } catch (RepositoryError const&) {
        // The same.
    }
}

// What is saved can be restored also without the collectors' log.
std::set<SessionId> closed_slots(Repository& repository, std::vector<std::string>& damaged) {
    try {
        return read_gc_log(repository.store(), repository.keys()).closed;
    } catch (RepositoryError const& error) {
        if (!is_unreadable(error.kind())) throw;
        damaged.emplace_back(error.what());
        return {};
    }
}

}  // namespace

SlotContent read_slot(Repository& repository, std::string const& name) {
    Bytes const object = get_whole(repository.store(), name, limits::object_size);
    Bytes content = repository.keys().open_object(ObjectKind::snapshot, name, object);
    if (!content.empty() && content[0] == std::byte{0})
        content = repository.keys().open_signed_object(ObjectKind::snapshot, name, object);
    return naming(name, [&] { return decode_slot(content); });
}

bool is_live(Repository& repository, SessionId const& id, GcState const& log) {
    // In this order: a collector removes a slot before its forget record.
    Backend& store = repository.store();
    return !has_forget(repository, id) && store.stat(names::snapshot(id)) &&
           !log.closed.contains(id);
}

bool is_given_up(Repository& repository, SessionId const& id) {
    // In this order: what closes a slot is written before its forget record is removed.
    std::vector<std::string> damaged;  // told by whoever asks for the log
    return has_forget(repository, id) || closed_slots(repository, damaged).contains(id);
}

void require_not_given_up(Repository& repository, SessionId const& id) {
    if (!is_given_up(repository, id)) return;
    throw RepositoryError(RepositoryFailure::failed,
                          "snapshot " + id.hex().substr(0, 8) +
                              " was forgotten, and collected in part, while it was read");
}

namespace {

// What a snapshot has taken the place of is given up, whether somebody came to say so or not: two
// that show one moment would each count as one for the rules of what to keep.
void leave_out_replaced(std::vector<NamedSnapshot>& snapshots) {
    std::set<SessionId> replaced;
    for (auto const& named : snapshots) {
        if (named.snapshot.was) replaced.insert(*named.snapshot.was);
    }
    std::erase_if(snapshots, [&](auto const& named) { return replaced.contains(named.id); });
}

}  // namespace

void sort_oldest_first(std::vector<NamedSnapshot>& snapshots) {
    std::stable_sort(snapshots.begin(), snapshots.end(), [](auto const& a, auto const& b) {
        return std::pair(a.snapshot.time_ns, a.snapshot.started_ns) <
               std::pair(b.snapshot.time_ns, b.snapshot.started_ns);
    });
}

SnapshotList list_snapshots(Repository& repository) {
    SnapshotList list;
    std::set<SessionId> given_up = read_forgets(repository, list.damaged);
    auto const slots = repository.store().list("snapshots/");
    // After the slots: one that was closed and removed may have been made again since.
    auto const closed = closed_slots(repository, list.damaged);
    given_up.insert(closed.begin(), closed.end());
    std::set<SessionId> read;
    for (auto const& object : slots) {
        use_listed(repository, object.name, list.damaged, [&] {
            auto const id = SessionId::parse(last_component(object.name));
            if (!id) throw corrupt(object.name + ": not a snapshot's name");
            list.slots.insert(*id);
            if (given_up.contains(*id)) return;
            auto slot = read_slot(repository, object.name);
            read.insert(*id);
            if (!slot.killed()) list.snapshots.push_back({*id, std::move(*slot.snapshot)});
        });
    }
    leave_out_replaced(list.snapshots);
    sort_oldest_first(list.snapshots);
    given_up.merge(read);
    remember_heads(repository, list, given_up, closed);
    return list;
}

std::vector<std::string> sources_of(Snapshot const& snapshot) {
    auto sources = snapshot.paths;
    sources.insert(sources.end(), snapshot.streams.begin(), snapshot.streams.end());
    return sources;
}

bool SnapshotFilter::matches(Snapshot const& snapshot) const {
    bool const is_of_host =
        hosts.empty() || std::find(hosts.begin(), hosts.end(), snapshot.host) != hosts.end();
    if (!is_of_host) return false;
    for (auto const& path : paths) {
        if (std::find(snapshot.paths.begin(), snapshot.paths.end(), path) == snapshot.paths.end()) {
            return false;
        }
    }
    return tags.empty() || std::any_of(tags.begin(), tags.end(), [&](std::string const& tag) {
               return has_tags(snapshot, tag);
           });
}

std::int64_t shown_ns(Snapshot const& snapshot) {
    return std::min(snapshot.time_ns, snapshot.started_ns);
}

bool is_ahead(Snapshot const& snapshot, std::int64_t now_ns) {
    constexpr std::int64_t hour_ns = 3600 * second_ns;
    return shown_ns(snapshot) > now_ns + hour_ns;
}

}  // namespace coffre
