// What the passes of a restore share.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/tree_reader.h"
#include "engine/restore/metadata.h"
#include "engine/restore/paths_in_use.h"
#include "engine/restore/selection.h"
#include "engine/restore/target.h"

namespace coffre {

struct RestoreContext {
    RestoreContext(Repository& opened, RestoreRequest const& asked, Progress& shown);

    // The target's failures are per entry; the repository's end the command. False when it failed.
    template <class Action>
    bool guarded(std::string const& path, Action const& action) {
        try {
            action();
            return true;
        } catch (NoRoomError const& error) {
            note_failure(path, error.what());
            is_full = true;
        } catch (SourceError const& error) {
            note_failure(path, error.what());
        }
        return false;
    }
    void note_failure(std::string const& path, std::string const& message);
    void note_damage(std::string const& path, std::string const& message);
    // False when the first pass has said why not, or the folder is there no more: that is a
    // failure.
    bool enter_again(std::string const& path);
    // Throws RepositoryError{no_space} once the target is full.
    void require_room_left() const;
    // Tells whoever listens; `action` is as of a snapshot: "new", "changed".
    void show(char const* action, std::string const& path) const;

    // Removes it with all that is in it, but for what the request keeps (its `exclude`), and what
    // is never deleted or is a mount point: that is a failure. Tells of each thing and counts it; a
    // dry run only does that.
    void remove_and_tell(std::string const& path);
    // Something of another kind may be where `node` belongs: removes it, and tells of it, or throws
    // SourceError and leaves all of it.
    void clear_way(std::string const& path, Node const& node);
    // Throws SourceError when what is `there` may not make way for `node`. Changes nothing.
    void require_may_clear(std::string const& path, Node const& node, struct stat const& there);
    // Throws SourceError when it, or something in it, is not to be removed.
    void require_removable(std::string const& path);
    // What is at `path` already is the link or special node `node`, but perhaps for its metadata.
    bool is_there(std::string const& path, struct stat const& there, Node const& node);
    // Whether this is what is never written to; the other throws SourceError when it is.
    bool is_in_use(struct stat const& there) const {
        return never_written.at(identity_of(there)) != nullptr;
    }
    void require_not_in_use(std::string const& path, struct stat const& there) const;
    // What is there stays as it is, because of the request.
    bool keeps(struct stat const& there, Node const& node) const;

    Repository& repository;
    RestoreRequest const& request;
    Progress& progress;
    ChunkReader reader;
    PathsInUse never_deleted;
    PathsInUse never_written;
    Metadata metadata;
    ChosenPaths chosen;
    Selection selection;
    Target target;  // made when it is known that there is something to restore
    RestoreResult result;
    std::set<std::string> skipped;               // what is there was kept
    std::set<std::string> refused;               // folders that could not be made or used
    std::set<std::string> only_metadata_failed;  // of the files among the failures
    bool is_full = false;                        // the target: nothing more is tried

private:
    void require_no_way_elsewhere(std::string const& path, Node const& node,
                                  struct stat const& there) const;
    bool stays(std::string const& path, FoundEntry const& entry);
};

}  // namespace coffre
