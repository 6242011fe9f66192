#include "engine/snapshot/arrivals.h"

#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"

namespace coffre {

Arrivals::Identity Arrivals::identity(Snapshot const& snapshot) {
    return {snapshot.host, snapshot.started_ns, snapshot.finished_ns, snapshot.root.digest};
}

std::vector<std::string> Arrivals::list() {
    auto list = list_snapshots(repository_);
    seen_ = std::move(list.slots);
    for (auto& named : list.snapshots) add(std::move(named));
    return std::move(list.damaged);
}

bool Arrivals::add(NamedSnapshot named) {
    bool const is_new = seen_.insert(named.id).second;
    if (named.snapshot.was) replaced_.insert(*named.snapshot.was);
    known_.insert_or_assign(identity(named.snapshot), std::move(named));
    return is_new;
}

NamedSnapshot const* Arrivals::twin_of(Snapshot const& snapshot) const {
    auto const found = known_.find(identity(snapshot));
    return found == known_.end() ? nullptr : &found->second;
}

NamedSnapshot const* Arrivals::live_twin_of(Snapshot const& snapshot) {
    for (;;) {
        list_new();
        auto const* const twin = twin_of(snapshot);
        if (twin == nullptr || is_live(repository_, twin->id, {})) return twin;
        // What it was replaced by since then is listed by now.
        known_.erase(identity(snapshot));
    }
}

bool Arrivals::is_replaced(SessionId const& id) {
    list_new();
    return replaced_.contains(id);
}

// What cannot be read shows nothing that could be there already.
void Arrivals::list_new() {
    for (auto const& object : repository_.store().list("snapshots/")) {
        auto const id = SessionId::parse(last_component(object.name));
        if (!id || !seen_.insert(*id).second) continue;
        std::vector<std::string> damaged;
        use_listed(repository_, object.name, damaged, [&] {
            auto slot = read_slot(repository_, object.name);
            if (!slot.killed() && !has_forget(repository_, *id))
                add({*id, std::move(*slot.snapshot)});
        });
    }
}

}  // namespace coffre
