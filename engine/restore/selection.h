// Walks what a restore selects of a snapshot. A restore walks more than once: nothing is kept.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/tree_reader.h"
#include "engine/restore.h"
#include "engine/restore/chosen_paths.h"

namespace coffre {

// Paths are relative to the target, "" is the target itself.
struct SelectionVisitor {
    // A folder that is selected, or leads to something selected; once. False: do not go on in it.
    std::function<bool(std::string const& path, Node const& folder)> enter;
    // Everything else that is selected, after the folders above it.
    std::function<void(std::string const& path, Node const& node)> visit;
    // After all that is in the folder. Not called for a folder that was refused.
    struct Left {
        std::string const& path;
        Node const& folder;
        bool was_entered;  // `enter` was called for it
        bool is_selected;  // as a whole, and not only for something in it
        bool is_complete;  // it could be read to its end
    };
    std::function<void(Left const&)> leave;
    // Part of a folder cannot be read, and its entries are lost.
    std::function<void(std::string const& path, std::string const& message)> damaged;
};

class Selection {
public:
    // Arguments outlive this. Throws RepositoryError when the snapshot has no such path.
    Selection(ChunkReader& reader, RestoreRequest const& request, ChosenPaths const& chosen,
              Progress const& progress);

    // Throws RepositoryError{corrupt} when the tree holds more than its snapshot says.
    void walk(SelectionVisitor const& visitor);

private:
    struct Folder {
        std::size_t path_size = 0;  // how much of `path_` is its path
        Node const& node;
        bool was_entered = false;
    };
    void walk_folder(Node const& folder, bool is_selected);
    bool walk_entries(Node const& folder, bool is_selected);
    void walk_entry(Node const& node, bool is_selected);
    bool enter_all();
    bool is_refused() const { return refused_ < folders_.size(); }

    ChunkReader& reader_;
    RestoreRequest const& request_;
    ChosenPaths const& chosen_;
    Progress const& progress_;
    Node start_;
    SelectionVisitor const* visitor_ = nullptr;
    std::string path_;             // of where the walk is: the only copy, it may be long
    std::vector<Folder> folders_;  // from the start down to there
    static constexpr std::size_t none = SIZE_MAX;
    std::size_t refused_ = none;  // of `folders_`: there, and beneath, nothing more is visited
    std::optional<EntryCount> entries_;
};

}  // namespace coffre
