#include "engine/restore/context.h"

namespace coffre {

namespace {

bool is_not_older(struct stat const& there, Node const& node) {
    TimePoint const mtime{there.st_mtim.tv_sec, static_cast<std::uint32_t>(there.st_mtim.tv_nsec)};
    return mtime >= node.mtime;
}

}  // namespace

RestoreContext::RestoreContext(Repository& opened, RestoreRequest const& asked, Progress& shown)
    : repository(opened),
      request(asked),
      progress(shown),
      reader(opened, tree_cache),
      never_deleted(asked.never_deleted),
      never_written(asked.never_written),
      metadata(asked),
      chosen(asked),
      selection(reader, asked, chosen, shown),
      target(asked.target, asked.dry_run ? Absent::stays : Absent::is_made) {}

void RestoreContext::note_failure(std::string const& path, std::string const& message) {
    result.failures.push_back({path, message});
    progress.report_failure(path, message);
}

void RestoreContext::note_damage(std::string const& path, std::string const& message) {
    result.damaged.push_back({path, message});
    progress.report_failure(path, message);
}

bool RestoreContext::enter_again(std::string const& path) {
    if (refused.contains(path)) return false;
    bool const is_there = guarded(path, [&] { target.require_folder(path); });
    if (!is_there) refused.insert(path);
    return is_there;
}

void RestoreContext::require_room_left() const {
    if (!is_full) return;
    throw RepositoryError(RepositoryFailure::no_space,
                          request.target + ": no room is left for what is to be restored");
}

void RestoreContext::show(char const* action, std::string const& path) const {
    if (progress.on_item) progress.on_item(action, path);
}

void RestoreContext::remove_and_tell(std::string const& path) {
    Removal how;
    how.keeps = [this](std::string const& at, FoundEntry const& entry) { return stays(at, entry); };
    how.removed = [this](std::string const& removed) {
        ++result.files_deleted;
        show("deleted", removed);
    };
    how.dry_run = request.dry_run;
    target.remove(path, how);
}

bool RestoreContext::stays(std::string const& path, FoundEntry const& entry) {
    if (chosen.excludes(path) || !chosen.includes(path, true)) return true;
    if (auto const* const kept = never_deleted.held_by(entry.identity)) {
        note_failure(path, "is or holds " + *kept + ", which is in use: it is not deleted");
        return true;
    }
    if (entry.is_folder && target.holds_repository(path)) {
        note_failure(path, "is a repository: it is not deleted");
        return true;
    }
    if (entry.is_mount_point) note_failure(path, "is a mount point: it is not deleted");
    return entry.is_mount_point;
}

void RestoreContext::clear_way(std::string const& path, Node const& node) {
    auto const there = target.look(path);
    if (!there) return;
    require_may_clear(path, node, *there);
    remove_and_tell(path);
    if (!request.dry_run && target.look(path))
        throw SourceError(path, "what is in its place is not deleted");
}

void RestoreContext::require_may_clear(std::string const& path, Node const& node,
                                       struct stat const& there) {
    if (keeps(there, node)) {
        throw SourceError(path, "something else is there, and it may not be overwritten");
    }
    if (S_ISDIR(there.st_mode) && !node.is_directory() && !request.delete_extra) {
        throw SourceError(path, "a folder is in the way (--delete removes it)");
    }
    if (node.is_directory()) require_no_way_elsewhere(path, node, there);
    require_removable(path);
}

void RestoreContext::require_removable(std::string const& path) {
    bool all_may_go = true;
    Removal look;
    look.keeps = [&](std::string const& at, FoundEntry const& entry) {
        bool const is_kept = stays(at, entry);
        all_may_go = all_may_go && !is_kept;
        return is_kept;
    };
    look.dry_run = true;
    target.remove(path, look);
    if (!all_may_go) throw SourceError(path, "what is in its place is not deleted");
}

// Behind a link is where somebody keeps what the folder holds, on another disk perhaps.
void RestoreContext::require_no_way_elsewhere(std::string const& path, Node const& node,
                                              struct stat const& there) const {
    bool const is_link = S_ISLNK(there.st_mode);
    bool const is_above = (node.flags & node_flags::above) != 0;
    if (is_above) {
        throw SourceError(path, std::string(is_link ? "a symbolic link" : "what is no folder") +
                                    " is in the place of a folder above what was saved: restore "
                                    "ID:PATH into the folder that is meant");
    }
    bool const is_on_the_way = !request.include.empty() && !chosen.includes(path, false);
    if (request.delete_extra || (!is_link && !is_on_the_way)) return;
    throw SourceError(path, std::string(is_link ? "a symbolic link" : "what is no folder") +
                                " is in the place of a folder (--delete removes it)");
}

bool RestoreContext::is_there(std::string const& path, struct stat const& there, Node const& node) {
    if ((there.st_mode & S_IFMT) != Target::type_of(node.kind)) return false;
    // What is changed in it changes under its other names, too.
    if (there.st_nlink > 1 && !metadata.fits(there, node)) return false;
    if (node.kind == NodeKind::symlink) return target.link_target(path) == node.target;
    return !is_device(node) || there.st_rdev == node.device_number;
}

void RestoreContext::require_not_in_use(std::string const& path, struct stat const& there) const {
    if (auto const* const used = never_written.at(identity_of(there))) {
        throw SourceError(path, "is " + *used + ", which is in use: it is left as it is");
    }
}

bool RestoreContext::keeps(struct stat const& there, Node const& node) const {
    if (is_unfinished(there)) return false;
    return request.overwrite == Overwrite::never ||
           (request.overwrite == Overwrite::if_newer && is_not_older(there, node));
}

}  // namespace coffre
