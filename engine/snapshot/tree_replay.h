// Walks another repository's snapshot and turns it into the events of a new one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/repository/tree_reader.h"
#include "engine/snapshot/split.h"

namespace coffre {

// A snapshot that was copied before: the same tree there and here.
struct CopiedTree {
    Node there;
    Node here;
    ChunkReader& reader;  // of what is here
    // Whether what lies beneath a file's node here may be relied on.
    std::function<bool(Node const&)> may_inherit;
};

class TreeReplay {
public:
    // `from` reads what is there. `before` may be null. All arguments outlive this.
    TreeReplay(ChunkReader& from, CopiedTree const* before, Splitter& split, Progress& progress);

    // Throws RepositoryError{corrupt} when a tree or a file there cannot be read.
    void replay(Snapshot const& snapshot);

private:
    struct Before {  // of an entry: null where it was not there
        Node const* there = nullptr;
        Node const* here = nullptr;
    };
    void replay_directory(Node const& node, Before const& before, std::size_t depth);
    void replay_entries(Node const& folder, Before const& before, std::size_t depth);
    void replay_file(Node const& node, Before const& before);
    void read_file(Node const& node);
    bool may_inherit(Node const& node, Before const& before) const;

    ChunkReader& from_;
    CopiedTree const* before_;
    Splitter& split_;
    Progress& progress_;
    std::optional<EntryCount> entries_;
};

}  // namespace coffre
