// What the passes of a restore share.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/tree_reader.h"
#include "engine/restore/metadata.h"
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
    // Throws RepositoryError{no_space} once the target is full.
    void require_room_left() const;
    // Tells whoever listens; `action` is as of a snapshot: "new", "changed".
    void show(char const* action, std::string const& path) const;

    // Something of another kind may be where `node` belongs: makes room, or throws SourceError.
    void clear_way(std::string const& path, Node const& node) const;
    // What is there stays as it is, because of the request.
    bool keeps(struct stat const& there, Node const& node) const;

    Repository& repository;
    RestoreRequest const& request;
    Progress& progress;
    ChunkReader reader;
    Target target;
    Metadata metadata;
    Selection selection;
    RestoreResult result;
    std::set<std::string> skipped;  // what is there was kept
    bool is_full = false;           // the target: nothing more is tried
};

}  // namespace coffre
