// A snapshot under a new id: the same trees, stored already.
#include <algorithm>

#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/reachable.h"
#include "engine/repository/session.h"
#include "engine/repository/snapshot_store.h"
#include "engine/repository/stored_packs.h"
#include "engine/snapshot/arrivals.h"
#include "engine/snapshot/chain.h"
#include "engine/snapshot/publish.h"
#include "engine/tag.h"
#include "format/mutant.h"

namespace coffre {

namespace {

void apply(TagChange const& change, Snapshot& snapshot) {
    std::set<std::string> tags(snapshot.tags.begin(), snapshot.tags.end());
    if (change.set) tags = {change.set->begin(), change.set->end()};
    for (auto const& tag : change.remove) tags.erase(tag);
    tags.insert(change.add.begin(), change.add.end());
    snapshot.tags = {tags.begin(), tags.end()};
    if (change.pin) snapshot.pinned = *change.pin;
}

Census census_of(Reachable const& reachable, Index::View const& view) {
    Census census;
    reachable.each_needed([&](PackNumber number) {
        IndexedPack const pack = view.pack(number);
        census.emplace(pack.id, pack.size);
    });
    return census;
}

constexpr char const* why_not =
    "a prune has removed it or has begun to (once it has ended, tag a snapshot that lives again), "
    "or "
    "it is damaged (`repo check` says so)";

// The packs that are there and not condemned, and what they hold. Its arguments outlive it.
class UsablePacks {
public:
    UsablePacks(Repository& repository, GcState const& log)
        : repository_(repository),
          log_(log),
          listed_(repository, log),
          generation_(repository.index_generation()),
          view_(repository.index_view()) {}

    // Those that hold all that is beneath the snapshot. Throws RepositoryError{failed} when there
    // are no such packs.
    Census that_hold(NamedSnapshot const& named) {
        Reachable found = nothing();
        try {
            found.mark(what(named), named.snapshot.root);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            throw RepositoryError(RepositoryFailure::failed,
                                  std::string(error.what()) + "; " + why_not);
        }
        found.require_same_index();
        if (found.missing().empty()) return census_of(found, view_);
        throw RepositoryError(
            RepositoryFailure::failed,
            what(named) +
                ": some of what it needs is not there, or not to be counted on: " + why_not);
    }

    // Whether there are such packs. What one snapshot shares with the one before is looked at once.
    bool hold(NamedSnapshot const& named) {
        if (!whole_) whole_.emplace(nothing());
        try {
            whole_->mark(what(named), named.snapshot.root);
            if (whole_->missing().empty()) return true;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
        }
        whole_.reset();
        return false;
    }

private:
    static std::string what(NamedSnapshot const& named) {
        return "snapshot " + named.id.hex().substr(0, 8);
    }
    Reachable nothing() {
        if (repository_.index_generation() != generation_) throw IndexRenewed();
        return Reachable(repository_, [this](PackNumber number) -> std::optional<unsigned> {
            IndexedPack const pack = view_.pack(number);
            if (!log_.usable(pack.id) || !listed_.holds(pack)) return std::nullopt;
            return 0;
        });
    }

    Repository& repository_;
    GcState const& log_;
    StoredPacks const listed_;
    std::uint64_t const generation_;
    Index::View const view_;
    std::optional<Reachable> whole_;
};

// Each republication is a session like that of a new snapshot: announced first, then the log is
// read.
class Republication {
public:
    Republication(Repository& repository, Progress& progress)
        : repository_(repository),
          progress_(progress),
          session_(repository.store(), repository.keys()),
          log_(read_gc_log(repository.store(), repository.keys())) {}

    // It may have been given up since it was listed.
    void require_there(SessionId const& id, Arrivals& arrivals) {
        if (is_live(repository_, id, log_) && !arrivals.is_replaced(id)) return;
        throw RepositoryError(RepositoryFailure::failed,
                              "there is no such snapshot any more: " + id.hex() +
                                  " was forgotten or changed since it was listed");
    }

    // `trust`: the snapshot was listed in this session, so that what it needs is not removed while
    // no condemn record is open.
    enum class Trust { listed, none };
    Republished publish(NamedSnapshot const& named, Snapshot changed, Trust trust) {
        repository_.refresh_index();
        Census needed;
        bool const is_sure = trust == Trust::listed && !log_.ends_in_condemn;
        if (!is_sure && !mutant("undo-unchecked")) {
            needed = with_one_index(
                repository_, [&] { return UsablePacks(repository_, log_).that_hold(named); });
        }
        changed.was = named.id;
        continue_chain(repository_, changed);
        publish(changed, needed);
        session_.has_published(progress_);
        remember_published(repository_, session_.id(), changed, log_, progress_);
        return {named.id, {session_.id(), std::move(changed)}};
    }

private:
    // What cannot be read back is not left beside the snapshot that it was made of.
    void publish(Snapshot const& snapshot, Census const& needed) {
        ClaimedChunks nothing;
        try {
            Publisher(repository_, session_.id(), nothing).publish(snapshot, needed);
        } catch (RepositoryError const& error) {
            bool const is_there = error.kind() == RepositoryFailure::corrupt &&
                                  repository_.store().stat(names::snapshot(session_.id()));
            if (is_there) put_forgets(repository_, {session_.id()}, "unreadable");
            throw;
        }
    }

    Repository& repository_;
    Progress& progress_;
    Session session_;
    GcState log_;
};

}  // namespace

std::vector<Republished> change_tags(Repository& repository,
                                     std::vector<NamedSnapshot> const& snapshots,
                                     TagChange const& change, Progress& progress,
                                     std::function<void(Republished const&)> const& on_changed) {
    std::vector<Republished> all;
    Arrivals arrivals(repository);
    for (auto const& named : snapshots) {
        Snapshot changed = named.snapshot;
        apply(change, changed);
        if (changed == named.snapshot) continue;
        Republication republication(repository, progress);
        republication.require_there(named.id, arrivals);
        all.push_back(
            republication.publish(named, std::move(changed), Republication::Trust::listed));
        give_up(repository, {named.id}, "replaced");
        if (on_changed) on_changed(all.back());
    }
    return all;
}

namespace {

// All whose slots are still there, and that were to be seen once.
SnapshotList all_forgotten(Repository& repository) {
    GcState const log = read_gc_log(repository.store(), repository.keys());
    SnapshotList list;
    auto& found = list.snapshots;
    for (auto const& id : read_forgets_of_snapshots(repository, list.damaged)) {
        if (log.closed.contains(id) || !repository.store().stat(names::snapshot(id))) continue;
        try {
            auto slot = read_slot(repository, names::snapshot(id));
            if (!slot.killed()) found.push_back({id, std::move(*slot.snapshot)});
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            list.damaged.emplace_back(error.what());
        }
    }
    sort_oldest_first(found);
    return list;
}

void leave_out_collected(Repository& repository, std::vector<NamedSnapshot>& snapshots) {
    if (snapshots.empty()) return;
    repository.refresh_index();
    GcState const log = read_gc_log(repository.store(), repository.keys());
    std::set<SessionId> whole;
    with_one_index(repository, [&] {
        whole.clear();
        UsablePacks packs(repository, log);
        for (auto const& named : snapshots) {
            if (packs.hold(named)) whole.insert(named.id);
        }
    });
    std::erase_if(snapshots, [&](auto const& named) { return !whole.contains(named.id); });
}

// Which snapshot has taken the place of which.
std::map<SessionId, NamedSnapshot> successors(SnapshotList const& list) {
    std::map<SessionId, NamedSnapshot> found;
    for (auto const& named : list.snapshots) {
        if (named.snapshot.was) found.emplace(*named.snapshot.was, named);
    }
    return found;
}

NamedSnapshot const& only_match(SnapshotList const& forgotten, std::string const& prefix) {
    std::vector<NamedSnapshot const*> matching;
    for (auto const& named : forgotten.snapshots) {
        if (!prefix.empty() && named.id.hex().starts_with(prefix)) matching.push_back(&named);
    }
    if (matching.empty() && !forgotten.damaged.empty()) throw corrupt(forgotten.damaged[0]);
    if (matching.size() == 1) return *matching[0];
    throw RepositoryError(RepositoryFailure::failed,
                          (matching.empty() ? "no forgotten snapshot begins with \""
                                            : "several forgotten snapshots begin with \"") +
                              prefix + "\"; see `repo snapshots --forgotten`");
}

}  // namespace

SnapshotList forgotten_snapshots(Repository& repository) {
    auto list = all_forgotten(repository);
    auto const forgotten = successors(list);
    auto const live = successors(list_snapshots(repository));
    std::erase_if(list.snapshots, [&](auto const& named) {
        return forgotten.contains(named.id) || live.contains(named.id);
    });
    leave_out_collected(repository, list.snapshots);
    return list;
}

Republished unforget(Repository& repository, std::string const& prefix, Progress& progress) {
    auto const forgotten = all_forgotten(repository);
    NamedSnapshot const& named = only_match(forgotten, prefix);
    auto const live = successors(list_snapshots(repository));
    if (auto const found = live.find(named.id); found != live.end()) {
        return {named.id, found->second};
    }
    if (auto const newer = successors(forgotten); newer.contains(named.id)) {
        throw RepositoryError(RepositoryFailure::failed,
                              "snapshot " + newer.at(named.id).id.hex().substr(0, 8) +
                                  " had taken the place of " + named.id.hex().substr(0, 8) +
                                  " and is forgotten, too: take that one back");
    }
    return Republication(repository, progress)
        .publish(named, named.snapshot, Republication::Trust::none);
}

}  // namespace coffre
