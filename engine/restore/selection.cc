#include "engine/restore/selection.h"

#include "format/limits.h"

namespace coffre {

Selection::Selection(ChunkReader& reader, RestoreRequest const& request, ChosenPaths const& chosen,
                     Progress const& progress)
    : reader_(reader), request_(request), chosen_(chosen), progress_(progress) {
    auto const start = find_node(reader, request.from.snapshot.root, request.from.sub_path);
    if (!start) throw nothing_at(request.from.snapshot, request.from.sub_path);
    start_ = *start;
}

void Selection::walk(SelectionVisitor const& visitor) {
    visitor_ = &visitor;
    entries_.emplace(request_.from.snapshot.statistics);
    path_.clear();
    if (!start_.is_directory()) {
        if (chosen_.choose_start(start_.name)) visitor.visit(start_.name, start_);
        return;
    }
    walk_folder(start_, request_.include.empty());
}

// Folders on the way to something selected are entered when it is met, not before.
bool Selection::enter_all() {
    for (std::size_t depth = 0; depth < folders_.size() && !is_refused(); ++depth) {
        Folder& folder = folders_[depth];
        if (folder.was_entered) continue;
        folder.was_entered = visitor_->enter(path_.substr(0, folder.path_size), folder.node);
        if (!folder.was_entered) refused_ = depth;
    }
    return !is_refused();
}

void Selection::walk_folder(Node const& folder, bool is_selected) {
    if (folders_.size() >= limits::tree_depth) {
        return visitor_->damaged(path_, "nested too deeply");
    }
    folders_.push_back({path_.size(), folder});
    if (!is_selected || enter_all()) {
        std::size_t const depth = folders_.size() - 1;
        bool const is_complete = walk_entries(folder, is_selected);
        bool const was_entered = folders_[depth].was_entered;
        if (!is_refused()) visitor_->leave({path_, folder, was_entered, is_selected, is_complete});
    }
    folders_.pop_back();
    if (!is_refused()) refused_ = none;
}

// False when a part of the folder cannot be read: it takes its entries with it. Ends early when the
// folder, or one above it, was refused.
bool Selection::walk_entries(Node const& folder, bool is_selected) {
    std::size_t const path_size = path_.size();
    DirectoryCursor cursor(reader_, folder.content);
    for (;;) {
        Node const* child = nullptr;
        try {
            child = cursor.next();
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            visitor_->damaged(path_.empty() ? "/" : path_, error.what());
            return false;
        }
        if (child == nullptr || is_refused()) return true;
        progress_.check_stop();
        entries_->add();
        if (path_size > 0) path_ += '/';
        path_ += child->name;
        walk_entry(*child, is_selected);
        path_.resize(path_size);
    }
}

void Selection::walk_entry(Node const& node, bool is_selected) {
    if (chosen_.excludes(path_)) return;
    is_selected = chosen_.includes(path_, is_selected);
    if (node.is_directory()) {
        if (!is_selected && !chosen_.may_include_beneath(path_)) return;
        return walk_folder(node, is_selected);
    }
    if (is_selected && enter_all()) visitor_->visit(path_, node);
}

}  // namespace coffre
