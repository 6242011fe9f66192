// All that a snapshot holds, entry by entry.
#include "engine/repository/repository.h"
#include "engine/repository/tree_reader.h"
#include "engine/snapshots.h"
#include "engine/util/paths.h"
#include "format/limits.h"

namespace coffre {

namespace {

struct Walk {
    ChunkReader& reader;
    std::function<bool(std::string const&, Node const&)> const& visit;
    std::function<void(std::string const&)> const& damaged;
    EntryCount entries;
    std::string path;  // of where the walk is

    void enter(Node const& node, std::size_t depth) {
        if (!visit(path, node) || !node.is_directory()) return;
        if (depth > limits::tree_depth) {
            throw corrupt(path + ": nested too deeply");
        }
        std::size_t const size = path.size();
        DirectoryCursor cursor(reader, node.content);
        while (Node const* const child = next(cursor)) {
            entries.add();
            path.append("/").append(child->name);
            enter(*child, depth + 1);
            path.resize(size);
        }
    }

    // The rest of a folder that cannot be read is left out, if that may be.
    Node const* next(DirectoryCursor& cursor) {
        try {
            return damage_at(path, [&] { return cursor.next(); });
        } catch (RepositoryError const& error) {
            if (!damaged || error.kind() != RepositoryFailure::corrupt) throw;
            damaged(error.what());
            return nullptr;
        }
    }
};

}  // namespace

void walk_snapshot(Repository& repository, Snapshot const& snapshot, std::string const& path,
                   std::function<bool(std::string const&, Node const&)> const& visit,
                   std::function<void(std::string const&)> const& damaged) {
    with_index([&] {
        repository.refresh_index();
        ChunkReader reader(repository, tree_cache);
        auto const start = find_node(reader, snapshot.root, path);
        if (!start) throw nothing_at(snapshot, path);
        Walk{reader, visit, damaged, EntryCount(snapshot.statistics), absolute_path(path)}.enter(
            *start, 0);
    });
}

}  // namespace coffre
