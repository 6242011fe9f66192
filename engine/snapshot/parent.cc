#include "engine/snapshot/parent.h"

#include <algorithm>
#include <functional>
#include <set>
#include <string_view>

#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/stored_packs.h"
#include "engine/repository/tree_reader.h"

namespace coffre {

namespace {

using Paths = std::vector<std::string>;

using PathSet = std::set<std::string_view>;

// Whether the path, or a folder above it, is in the set.
bool is_within(PathSet const& set, std::string_view path) {
    while (!set.contains(path)) {
        if (path.size() <= 1) return false;
        path = path.substr(0, std::max<std::size_t>(path.rfind('/'), 1));
    }
    return true;
}

// How many of one have files of which the other may have earlier versions.
std::size_t shared_paths(Paths const& some, Paths const& others) {
    PathSet const set(some.begin(), some.end());
    PathSet const other_set(others.begin(), others.end());
    auto const count = [](Paths const& paths, PathSet const& in) {
        return static_cast<std::size_t>(std::count_if(
            paths.begin(), paths.end(), [&](std::string const& p) { return is_within(in, p); }));
    };
    return count(some, other_set) + count(others, set);
}

// The newest of the same host, paths and streams; if there is none, because something was added to
// a job, say, that of the same paths, or else the one of the host that has most of them.
std::optional<NamedSnapshot> choose_own(std::vector<NamedSnapshot> list, Snapshot const& begun) {
    std::erase_if(list, [&](NamedSnapshot const& each) {
        return each.snapshot.host != begun.host || each.snapshot.time_ns > begun.started_ns;
    });
    for (bool const any_streams : {false, true}) {
        auto const same = std::find_if(list.rbegin(), list.rend(), [&](NamedSnapshot const& each) {
            return each.snapshot.paths == begun.paths &&
                   (any_streams || each.snapshot.streams == begun.streams);
        });
        if (same != list.rend()) return std::move(*same);
    }
    NamedSnapshot* best = nullptr;
    std::size_t most = 0;
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
        std::size_t const shared = shared_paths(it->snapshot.paths, begun.paths);
        if (shared > most) best = &*it;
        most = std::max(most, shared);
    }
    return best != nullptr ? std::optional(std::move(*best)) : std::nullopt;
}

std::optional<NamedSnapshot> choose(Repository& repository, SnapshotRequest const& request,
                                    Snapshot const& begun) {
    if (request.parent == ParentChoice::none) return std::nullopt;
    if (request.parent == ParentChoice::given) {
        return find_whole_snapshot(list_snapshots(repository), request.parent_name, {});
    }
    return choose_own(list_snapshots(repository).snapshots, begun);
}

// False when nobody relied on it anyway.
bool distrust(GcState& log, PackId const& pack) {
    if (!log.condemned.insert(pack).second) return false;
    return log.ends_in_condemn = true;
}

// Packs that a command met damaged count as lost, too, but for trees, which are read again anyway.
// True when no trees are lost.
bool condemn_lost_packs(Repository& repository, GcState& log, Progress const& progress) {
    // Seen before the packs are listed: another process may add a bundle, whose packs are there.
    Index::View const view = repository.index_view();
    StoredPacks const stored(repository, log);
    auto const damaged = noted_damaged(repository.folder());
    bool has_trees = true;
    view.each_pack([&](PackNumber number, IndexedPack const& pack) {
        if (log.is_swept(pack.id)) return;
        auto const size = stored.size_of(pack.id);
        if (size == pack.size) {
            if (damaged.contains(pack.id)) distrust(log, pack.id);
            return;
        }
        if (view.directory(number).kind == PackKind::meta) has_trees = false;
        if (!distrust(log, pack.id)) return;  // swept meanwhile
        progress.report_failure(
            names::pack(pack.id),
            "is missing or cut off; what the sources still hold of it is stored "
            "again. Run `repo check` for what is lost");
    });
    return has_trees;
}

using MayRelyOn = std::function<bool(PackId const&)>;

// Packs that may be relied on and can be read. Outlived by all it is given.
class SoundPacks {
public:
    SoundPacks(ChunkReader& reader, MayRelyOn may_rely_on)
        : reader_(reader), may_rely_on_(std::move(may_rely_on)) {}

    bool contain(PackNumber pack) {
        auto const [known, is_new] = known_.try_emplace(reader_.view().pack(pack).id);
        if (is_new) {
            known->second =
                may_rely_on_(known->first) && reader_.repository().can_read(reader_.view(), pack);
        }
        return known->second;
    }
    ChunkReader& reader() { return reader_; }

private:
    ChunkReader& reader_;
    MayRelyOn may_rely_on_;
    std::map<PackId, bool> known_;
};

bool has_all(SoundPacks& packs, Content const& content) {
    ChunkReader& reader = packs.reader();
    auto const in_such_a_pack = [&](PackNumber pack) { return packs.contain(pack); };
    for (auto const& entry : content.entries) {
        if (!reader.view().find(entry.id, in_such_a_pack)) return false;
        if (content.level == 0) continue;
        auto const below = static_cast<std::uint8_t>(content.level - 1);
        try {
            if (!has_all(packs, read_recipe(reader, entry.id, below))) return false;
        } catch (FormatError const&) {
            return false;
        }
    }
    return true;
}

// Whether the index knows all that the snapshot needs, in such packs. Folders that are `known` to
// be whole are not entered.
bool is_whole(Repository& repository, Snapshot const& snapshot, MayRelyOn const& may_rely_on,
              WholeFolders& known, Progress const& progress) {
    struct Gap {};
    ChunkReader reader(repository, tree_cache);
    SoundPacks packs(reader, may_rely_on);
    WholeFolders met;
    try {
        walk_snapshot(repository, snapshot, "", [&](std::string const&, Node const& node) {
            progress.check_stop();
            if (node.is_file() && !has_all(packs, node.content)) throw Gap{};
            // Larger ones are of several chunks.
            bool const is_small = node.content.level == 0 && node.content.entries.size() == 1;
            if (!node.is_directory() || !is_small) return true;
            ChunkId const& id = node.content.entries[0].id;
            return !known.contains(id) && met.insert(id).second;
        });
        known.merge(met);
    } catch (Gap const&) {
        return false;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return false;
    }
    return true;
}

}  // namespace

std::optional<NamedSnapshot> find_parent(Repository& repository, SnapshotRequest const& request,
                                         Snapshot const& begun, GcState& log,
                                         Progress const& progress) {
    return usable_parent(repository, choose(repository, request, begun), log, progress);
}

std::optional<NamedSnapshot> usable_parent(Repository& repository,
                                           std::optional<NamedSnapshot> parent, GcState& log,
                                           Progress const& progress) {
    // Level with the bundles of every snapshot that was listed.
    repository.refresh_index();
    bool const has_trees = condemn_lost_packs(repository, log, progress);
    if (!parent || !has_trees) return std::nullopt;
    // An index that was built anew does not know packs that are lost together with their bundles.
    if (repository.index()->is_whole(parent->id)) return parent;
    // What is lost or condemned is known, and looked up file by file.
    auto const generation = repository.index_generation();
    auto const is_not_swept = [&](PackId const& pack) { return !log.is_swept(pack); };
    WholeFolders none;
    if (is_whole(repository, parent->snapshot, is_not_swept, none, progress)) {
        note_whole(repository, generation, parent->id, std::nullopt);
        return parent;
    }
    progress.report_failure(
        "", "the snapshot before, " + parent->id.hex().substr(0, 8) +
                ", is not whole: every file is read again. Run `repo check` for what is lost");
    return std::nullopt;
}

void note_lost_packs(Repository& repository, GcState& log, Progress const& progress) {
    repository.refresh_index();
    condemn_lost_packs(repository, log, progress);
}

bool lacks_nothing(Repository& repository, Snapshot const& snapshot, GcState const& log,
                   WholeFolders& known, Progress const& progress) {
    auto const is_usable_pack = [&](PackId const& pack) { return log.usable(pack); };
    return is_whole(repository, snapshot, is_usable_pack, known, progress);
}

void note_whole(Repository& repository, std::uint64_t generation, SessionId const& published,
                std::optional<SessionId> const& parent) {
    try {
        if (repository.index_generation() != generation) return;
        repository.index()->note_whole(published, parent);
    } catch (IndexDamaged const&) {
        // The next run looks at it.
    } catch (RepositoryError const&) {
    }
}

void distrust_trees(Repository& repository, GcState& log) {
    Index::View const view = repository.index_view();
    view.each_pack([&](PackNumber number, IndexedPack const& pack) {
        if (view.directory(number).kind == PackKind::meta) log.condemned.insert(pack.id);
    });
}

bool is_usable(ChunkReader& reader, GcState const& log, Content const& content) {
    SoundPacks packs(reader, [&](PackId const& pack) { return log.usable(pack); });
    return has_all(packs, content);
}

}  // namespace coffre
