#include "engine/maintain/hurt_paths.h"

#include <algorithm>

#include "engine/maintain/tree_check.h"
#include "engine/repository/stored_packs.h"

namespace coffre {

namespace {

// Throws RepositoryError{corrupt} when it cannot be read.
void require_chunk(ChunkReader& reader, StoredPacks const& stored, std::set<PackId> const& bad,
                   ChunkId const& id) {
    auto const places = reader.locate(id);
    bool const is_sound = std::any_of(places.begin(), places.end(), [&](ChunkPlace const& place) {
        IndexedPack const pack = reader.view().pack(place.pack);
        return !bad.contains(pack.id) && stored.holds(pack);
    });
    if (!is_sound) reader.read(PackKind::data, id);
}

void add(std::map<std::string, HurtPath>& by_path, HurtEntry const& entry) {
    std::string const path = entry.path.empty() ? "/" : entry.path;
    HurtPath& hurt = by_path[path];
    hurt.path = path;
    hurt.is_folder = hurt.is_folder || entry.kind == NodeKind::directory;
    hurt.snapshots.push_back(entry.snapshot.id);
}

}  // namespace

std::vector<HurtPath> find_hurt_paths(Repository& repository,
                                      std::vector<NamedSnapshot> const& snapshots,
                                      std::set<PackId> const& bad, Progress& progress) {
    std::map<std::string, HurtPath> by_path;
    StoredPacks const stored(repository);
    ChunkReader reader(repository, tree_cache);
    TreeCheck trees(
        reader, [&](ChunkReader& from, ChunkId const& id) { require_chunk(from, stored, bad, id); },
        [&](HurtEntry const& entry) { add(by_path, entry); }, TreeCheck::Shared::each, progress);
    for (auto const& named : snapshots) trees.check(named);
    std::vector<HurtPath> hurt;
    hurt.reserve(by_path.size());
    for (auto& [path, entry] : by_path) hurt.push_back(std::move(entry));
    return hurt;
}

}  // namespace coffre
