// Walks the trees of snapshots and finds what of them is not there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <tuple>
#include <unordered_set>

#include "engine/progress.h"
#include "engine/repository/tree_reader.h"
#include "engine/snapshots.h"

namespace coffre {

struct HurtEntry {
    NamedSnapshot const& snapshot;
    std::string const& path;  // "/a/b"; a folder's: what is in it is not known, or not all of it
    NodeKind kind;
    std::string message;
};

class TreeCheck {
public:
    // Throws RepositoryError{corrupt} when a file's chunk is not there.
    using Test = std::function<void(ChunkReader&, ChunkId const&)>;
    using OnHurt = std::function<void(HurtEntry const&)>;
    // What several snapshots share is told once, under the first of them, or for each of them.
    enum class Shared { once, each };

    // All arguments outlive this; `test` may be asked again of what it has passed.
    TreeCheck(ChunkReader& reader, Test test, OnHurt on_hurt, Shared shared, Progress& progress);

    void check(NamedSnapshot const& named);

    std::uint64_t directories() const { return directories_; }
    std::uint64_t files() const { return files_; }

private:
    using Recipe = std::tuple<ChunkId, std::uint64_t, std::uint8_t>;  // weight, level beneath it
    // Each returns whether all is whole.
    bool check_node(Node const& node, std::size_t depth);
    bool check_directory(Node const& node, std::size_t depth);
    bool check_entries(Node const& node, std::size_t depth);
    void check_file(Node const& node);
    void remember(ChunkId const& chunk);

    ChunkReader& reader_;
    Test test_;
    OnHurt on_hurt_;
    Shared shared_;
    Progress& progress_;
    std::uint64_t directories_ = 0;
    std::uint64_t files_ = 0;
    NamedSnapshot const* snapshot_ = nullptr;
    std::string path_;  // of where the check is
    std::optional<EntryCount> entries_;
    std::unordered_set<ChunkId, IdHash> seen_;
    std::set<Digest> seen_directories_;
    std::set<Recipe> seen_recipes_;
};

}  // namespace coffre
