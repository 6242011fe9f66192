#include "engine/restore/selection.h"

#include "engine/util/paths.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

Selection::Selection(ChunkReader& reader, RestoreRequest const& request, Progress const& progress)
    : reader_(reader), request_(request), progress_(progress) {
    auto const start = find_node(reader, request.from.snapshot.root, request.from.sub_path);
    if (!start) {
        throw RepositoryError(RepositoryFailure::failed,
                              "the snapshot has nothing at \"" + request.from.sub_path + "\"");
    }
    start_ = *start;
}

void Selection::walk(SelectionVisitor const& visitor) {
    visitor_ = &visitor;
    entries_ = 0;
    if (!start_.is_directory()) return visitor.visit(start_.name, start_);
    walk_folder(start_, "", request_.include.empty());
}

// Folders on the way to something selected are entered when it is met, not before.
bool Selection::enter_all() {
    for (auto& folder : folders_) {
        if (folder.was_entered) continue;
        if (!visitor_->enter(folder.path, folder.node)) return false;
        folder.was_entered = true;
    }
    return true;
}

void Selection::walk_folder(Node const& folder, std::string const& path, bool is_selected) {
    if (folders_.size() >= limits::tree_depth) {
        return visitor_->damaged(path, "nested too deeply");
    }
    folders_.push_back({path, folder});
    if (!is_selected || enter_all()) {
        std::size_t const depth = folders_.size() - 1;
        bool const is_complete = walk_entries(folder, path, is_selected);
        visitor_->leave({path, folder, folders_[depth].was_entered, is_selected, is_complete});
    }
    folders_.pop_back();
}

// False when a part of the folder cannot be read: it takes its entries with it.
bool Selection::walk_entries(Node const& folder, std::string const& path, bool is_selected) {
    DirectoryCursor cursor(reader_, folder.content);
    for (;;) {
        Node const* child = nullptr;
        try {
            child = cursor.next();
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            visitor_->damaged(path.empty() ? "/" : path, error.what());
            return false;
        }
        if (child == nullptr) return true;
        progress_.check_stop();
        count_entry();
        walk_entry(*child, join_path(path, child->name), is_selected);
    }
}

void Selection::walk_entry(Node const& node, std::string const& path, bool is_selected) {
    std::string const shown = "/" + path;
    if (request_.exclude.matches(shown)) return;
    is_selected = is_selected || request_.include.matches(shown);
    if (node.is_directory()) {
        if (!is_selected && !request_.include.may_match_beneath(shown)) return;
        return walk_folder(node, path, is_selected);
    }
    if (is_selected && enter_all()) visitor_->visit(path, node);
}

// Trees that share subtrees can hold more entries than any disk; an honest snapshot has counted.
void Selection::count_entry() {
    Statistics const& told = request_.from.snapshot.statistics;
    if (++entries_ <= told.files + told.directories + told.others || mutant("unbounded")) return;
    throw RepositoryError(RepositoryFailure::corrupt, "the tree holds more than the " +
                                                          std::to_string(entries_ - 1) +
                                                          " entries that its snapshot says");
}

}  // namespace coffre
