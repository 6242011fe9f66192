#include "engine/diff.h"

#include <unordered_set>

#include "engine/history/node_versions.h"
#include "engine/util/paths.h"
#include "format/limits.h"

namespace coffre {

namespace {

// Without the pieces that both have: their entries are equal.
void remove_common(std::vector<ListEntry>& before, std::vector<ListEntry>& after) {
    std::unordered_set<ChunkId, IdHash> known;
    for (auto const& piece : before) known.insert(piece.id);
    std::unordered_set<ChunkId, IdHash> common;
    std::erase_if(after, [&](ListEntry const& piece) {
        return known.contains(piece.id) && common.insert(piece.id).second;
    });
    std::erase_if(before, [&](ListEntry const& piece) { return common.contains(piece.id); });
}

void add_to(EntryTotals& totals, Node const& node) {
    ++(node.is_file() ? totals.files : node.is_directory() ? totals.directories : totals.others);
}

class Comparison {
public:
    Comparison(ChunkReader& reader, FoundSnapshot const& before, FoundSnapshot const& after,
               DiffDepth depth, std::function<void(Change const&)> const& on_change)
        : reader_(reader),
          before_{absolute_path(before.sub_path), EntryCount(before.snapshot.statistics)},
          after_{absolute_path(after.sub_path), EntryCount(after.snapshot.statistics)},
          depth_(depth),
          on_change_(on_change) {}

    DiffSummary run(Node const* before, Node const* after) {
        if (before != nullptr && after != nullptr) {
            compare(*before, *after);
        } else if (before != nullptr) {
            list(*before, Difference::removed);
        } else {
            list(*after, Difference::added);
        }
        return summary_;
    }

private:
    struct Side {
        std::string path;  // of where the walk is
        EntryCount entries;

        void go_into(std::string const& name) { path.append("/").append(name); }
        void go_back(std::string const& name) { path.resize(path.size() - name.size() - 1); }
    };

    Side& side_of(Difference difference) {
        return difference == Difference::removed ? before_ : after_;
    }

    // A folder is entered, for as long as this lives.
    class Level {
    public:
        explicit Level(Comparison& comparison) : levels_(comparison.levels_) {
            if (levels_ > limits::tree_depth) {
                throw corrupt(comparison.after_.path + ": nested too deeply");
            }
            ++levels_;
        }
        Level(Level const&) = delete;
        Level& operator=(Level const&) = delete;
        ~Level() { --levels_; }

    private:
        std::size_t& levels_;
    };

    void compare(Node const& before, Node const& after) {
        if (before.kind != after.kind) return exchange(before, after);
        if (!before.is_directory() && !same_content(before, after)) {
            report(Difference::content, &before, &after);
        } else if (depth_ == DiffDepth::metadata && !same_metadata(before, after)) {
            report(Difference::metadata, &before, &after);
        }
        if (before.content != after.content && before.is_directory()) enter(before, after);
    }

    void exchange(Node const& before, Node const& after) {
        report(Difference::type, &before, &after);
        if (before.is_directory()) list_entries(before, Difference::removed);
        if (after.is_directory()) list_entries(after, Difference::added);
    }

    void enter(Node const& before, Node const& after) {
        Level const level(*this);
        auto pieces_before = pieces_of(reader_, before.content);
        auto pieces_after = pieces_of(reader_, after.content);
        remove_common(pieces_before, pieces_after);
        HeldMemory const held(reader_,
                              (pieces_before.size() + pieces_after.size()) * sizeof(ListEntry) * 2);
        DirectoryCursor left(reader_, {0, std::move(pieces_before)});
        DirectoryCursor right(reader_, {0, std::move(pieces_after)});
        bool const is_whole = ((before.flags | after.flags) & node_flags::partial) == 0;
        if (!merge(left, right) && !is_whole) summary_.partial.push_back(after_.path);
    }

    Node const* next(DirectoryCursor& cursor, Side& side) {
        Node const* const node = damage_at(side.path, [&] { return cursor.next(); });
        if (node != nullptr) side.entries.add();
        return node;
    }

    // False when one has an entry that the other has not.
    bool merge(DirectoryCursor& left, DirectoryCursor& right) {
        bool has_same_names = true;
        Node const* before = next(left, before_);
        Node const* after = next(right, after_);
        while (before != nullptr || after != nullptr) {
            bool const is_gone =
                after == nullptr || (before != nullptr && before->name < after->name);
            bool const is_new =
                before == nullptr || (after != nullptr && after->name < before->name);
            has_same_names = has_same_names && !is_gone && !is_new;
            visit(is_new ? nullptr : before, is_gone ? nullptr : after);
            if (!is_new) before = next(left, before_);
            if (!is_gone) after = next(right, after_);
        }
        return has_same_names;
    }

    void visit(Node const* before, Node const* after) {
        std::string const name = (before != nullptr ? before : after)->name;
        before_.go_into(name);
        after_.go_into(name);
        run(before, after);
        before_.go_back(name);
        after_.go_back(name);
    }

    // The entry and, of a folder, everything beneath.
    void list(Node const& node, Difference difference) {
        report(difference, difference == Difference::removed ? &node : nullptr,
               difference == Difference::added ? &node : nullptr);
        if (node.is_directory()) list_entries(node, difference);
    }

    void list_entries(Node const& folder, Difference difference) {
        Side& side = side_of(difference);
        Level const level(*this);
        DirectoryCursor cursor(reader_, folder.content);
        while (Node const* const node = next(cursor, side)) {
            side.go_into(node->name);
            list(*node, difference);
            side.go_back(node->name);
        }
    }

    void report(Difference difference, Node const* before, Node const* after) {
        count(difference, before, after);
        on_change_({difference, side_of(difference).path, before, after});
    }

    void count(Difference difference, Node const* before, Node const* after) {
        switch (difference) {
            case Difference::added:
                add_to(summary_.added, *after);
                break;
            case Difference::removed:
                add_to(summary_.removed, *before);
                break;
            case Difference::content:
                ++summary_.changed;
                break;
            case Difference::metadata:
                ++summary_.metadata_changed;
                break;
            case Difference::type:
                ++summary_.types_changed;
                break;
        }
        std::uint64_t const size_before = before != nullptr ? before->size : 0;
        std::uint64_t const size_after = after != nullptr ? after->size : 0;
        if (size_after > size_before) summary_.added.bytes += size_after - size_before;
        if (size_before > size_after) summary_.removed.bytes += size_before - size_after;
    }

    ChunkReader& reader_;
    Side before_;
    Side after_;
    DiffDepth depth_;
    std::function<void(Change const&)> const& on_change_;
    DiffSummary summary_;
    std::size_t levels_ = 0;
};

// The node at the end of the path, if it is there.
std::optional<Node> start_of(ChunkReader& reader, FoundSnapshot const& snapshot) {
    return find_node(reader, snapshot.snapshot.root, snapshot.sub_path);
}

}  // namespace

DiffSummary diff_snapshots(Repository& repository, FoundSnapshot const& before,
                           FoundSnapshot const& after, DiffDepth depth,
                           std::function<void(Change const&)> const& on_change) {
    auto const compare = [&] {
        repository.refresh_index();
        ChunkReader reader(repository, tree_cache);
        auto const start_before = start_of(reader, before);
        auto const start_after = start_of(reader, after);
        if (!start_before && !start_after) {
            throw RepositoryError(
                RepositoryFailure::failed,
                "neither snapshot has anything at \"" + after.sub_path + "\"; see `repo ls`");
        }
        Comparison comparison(reader, before, after, depth, on_change);
        return comparison.run(start_before ? &*start_before : nullptr,
                              start_after ? &*start_after : nullptr);
    };
    return reading(repository, {before.id, after.id}, [&] { return with_index(compare); });
}

}  // namespace coffre
