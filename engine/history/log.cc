#include "engine/log.h"

#include <algorithm>

#include "engine/history/node_versions.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/util/lru_cache.h"
#include "engine/util/paths.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t cached_nodes = 16 * limits::mib;

// As find_node(), for one path in many trees: what a piece has under the name is remembered, so
// that pieces which the trees share are read once.
class PathFinder {
public:
    // `path` is absolute; both outlive this.
    PathFinder(ChunkReader& reader, std::string const& path)
        : reader_(reader), path_(path), known_(cached_nodes) {}

    std::optional<Node> find(Node const& root) {
        is_unsure_ = false;
        Node node = root;
        for (std::size_t start = 1; start < path_.size();) {
            std::size_t const end = std::min(path_.find('/', start), path_.size());
            auto below = node.is_directory() ? entry_of(node.content, start, end) : std::nullopt;
            is_unsure_ = !below && (node.flags & node_flags::partial) != 0;
            if (!below) return std::nullopt;
            node = std::move(*below);
            start = end + 1;
        }
        return node;
    }

    // Whether what was not found may have been there all the same: its folder was not saved whole.
    bool is_unsure() const { return is_unsure_; }

private:
    // Where a name is, as seen from a piece of its folder.
    enum class Where { before, here, after };
    struct Look {
        Where where = Where::here;
        std::optional<Node> node = {};  // if it is here
    };

    // The part of the path from `start` to `end` is the entry's name. Names ascend from piece to
    // piece: few need a look.
    std::optional<Node> entry_of(Content const& folder, std::size_t start, std::size_t end) {
        auto const pieces = pieces_of(reader_, folder);
        std::size_t from = 0;
        std::size_t to = pieces.size();
        while (from < to) {
            std::size_t const middle = from + (to - from) / 2;
            auto const look = look_into(pieces[middle], start, end);
            if (look->where == Where::here) return look->node;
            if (look->where == Where::before) to = middle;
            if (look->where == Where::after) from = middle + 1;
        }
        return std::nullopt;
    }

    std::shared_ptr<Look const> look_into(ListEntry const& piece, std::size_t start,
                                          std::size_t end) {
        std::pair const key(start, piece.id);
        if (auto known = known_.find(key)) return known;
        Look look = read(piece, path_.substr(start, end - start));
        std::size_t const weight = look.node ? memory_of(*look.node) : sizeof look;
        return known_.insert(key, std::move(look), weight);
    }

    Look read(ListEntry const& piece, std::string const& name) {
        DirectoryCursor cursor(reader_, {0, {piece}});
        Node const* node = cursor.next();
        if (node == nullptr || name < node->name) return {Where::before};
        while (node != nullptr && node->name < name) node = cursor.next();
        if (node == nullptr) return {Where::after};
        if (node->name != name) return {Where::here};
        return {Where::here, *node};
    }

    ChunkReader& reader_;
    std::string const& path_;
    LruCache<std::pair<std::size_t, ChunkId>, Look> known_;
    bool is_unsure_ = false;
};

bool is_about(Snapshot const& snapshot, std::string const& path) {
    auto const leads_there = [&](std::string const& saved) {
        return saved == path || lies_beneath(path, saved) || lies_beneath(saved, path);
    };
    auto const is_it = [&](std::string const& stream) { return "/" + stream == path; };
    return path.empty() || std::any_of(snapshot.paths.begin(), snapshot.paths.end(), leads_there) ||
           std::any_of(snapshot.streams.begin(), snapshot.streams.end(), is_it);
}

std::vector<NamedSnapshot const*> by_host(std::span<NamedSnapshot const> snapshots,
                                          std::string const& path) {
    std::vector<NamedSnapshot const*> chosen;
    for (auto const& named : snapshots) {
        if (is_about(named.snapshot, path)) chosen.push_back(&named);
    }
    std::stable_sort(chosen.begin(), chosen.end(), [](auto const* a, auto const* b) {
        return a->snapshot.host < b->snapshot.host;
    });
    return chosen;
}

// What made `after` of `before`, each null when there is none; nothing when they are the same.
std::optional<Happened> change(Node const* before, Node const* after) {
    if (before == nullptr && after == nullptr) return std::nullopt;
    if (before == nullptr) return Happened::created;
    if (after == nullptr) return Happened::removed;
    if (before->kind != after->kind) return Happened::type;
    if (!same_content(*before, *after)) return Happened::content;
    if (!same_metadata(*before, *after)) return Happened::metadata;
    return std::nullopt;
}

// Joins snapshots in a row to versions.
class Versions {
public:
    explicit Versions(std::function<void(PathVersion const&)> const& on_version)
        : on_version_(on_version) {}

    // `node` is null when the snapshot has nothing there.
    void add(NamedSnapshot const& snapshot, Node const* node) {
        bool const is_other_host =
            row_.last != nullptr && row_.last->snapshot.host != snapshot.snapshot.host;
        if (is_other_host) {
            finish_row();
            row_ = {};
        }
        if (auto const happened = change(row_.node, node)) {
            finish_row();
            if (node != nullptr) node_ = *node;
            row_ = {*happened, node != nullptr ? &node_ : nullptr, &snapshot, nullptr, 0};
        }
        row_.last = &snapshot;
        ++row_.snapshots;
    }
    // Returns how many versions there were.
    std::uint64_t finish() {
        finish_row();
        return count_;
    }

private:
    // What was before it was created is no version.
    void finish_row() {
        if (row_.first == nullptr) return;
        ++count_;
        on_version_(row_);
    }

    std::function<void(PathVersion const&)> const& on_version_;
    Node node_;  // when row_ points to it
    PathVersion row_;
    std::uint64_t count_ = 0;
};

void add_version(Versions& versions, NamedSnapshot const& named, PathFinder& finder) {
    auto const node = finder.find(named.snapshot.root);
    if (!finder.is_unsure()) versions.add(named, node ? &*node : nullptr);
}

RepositoryError nowhere(std::string const& path) {
    return {RepositoryFailure::failed,
            "no snapshot has anything at \"" + path + "\"; " +
                (path.starts_with('/') ? "" : "paths are whole, from / on; ") + "see `repo find`"};
}

// Nothing when the snapshot's folders on the way can be read; else what is said of it, if it is
// there by now.
std::optional<std::string> damage_of(Repository& repository, NamedSnapshot const& named,
                                     std::function<void()> const& look) {
    try {
        look();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        if (!is_given_up(repository, named.id))
            return names::snapshot(named.id) + ": " + error.what();
    }
    return std::nullopt;
}

}  // namespace

std::vector<std::string> log_path(Repository& repository, std::span<NamedSnapshot const> snapshots,
                                  std::string const& path,
                                  std::function<void(PathVersion const&)> const& on_version) {
    std::string const absolute = absolute_path(path);
    std::vector<std::string> damaged;
    auto const log = [&] {
        damaged.clear();
        repository.refresh_index();
        ChunkReader reader(repository, tree_cache);
        PathFinder finder(reader, absolute);
        Versions versions(on_version);
        for (auto const* named : by_host(snapshots, absolute)) {
            auto const message =
                damage_of(repository, *named, [&] { add_version(versions, *named, finder); });
            if (message) damaged.push_back(*message);
        }
        return versions.finish();
    };
    if (with_index(log) > 0 || !damaged.empty()) return damaged;
    throw nowhere(path);
}

}  // namespace coffre
