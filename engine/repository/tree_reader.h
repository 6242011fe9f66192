// Walks what a node is made of: a file's chunks, a directory's entries.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "engine/repository/chunk_reader.h"
#include "format/snapshot.h"

namespace coffre {

// What a decoded node takes, about. Its encoding may be a tenth of that.
std::uint64_t memory_of(Node const& node);

// What a recipe lists: entries of `level`. Throws RepositoryError{corrupt} when the chunk cannot be
// read, FormatError when it is no such recipe.
Content read_recipe(ChunkReader& reader, ChunkId const& id, std::uint8_t level);
// The same. Throws RepositoryError{corrupt} in the second case too, and when the entries do not add
// up to what was said of the recipe.
Content read_checked_recipe(ChunkReader& reader, ListEntry const& recipe, std::uint8_t level);

// Trees that share subtrees can hold more entries than any disk; an honest snapshot has counted.
class EntryCount {
public:
    explicit EntryCount(Statistics const& told)
        : limit_(told.files + told.directories + told.others) {}
    // One more. Throws RepositoryError{corrupt} when the snapshot says that there are fewer.
    void add();

private:
    std::uint64_t limit_;
    std::uint64_t entries_ = 0;
};

// The level-0 entries of a content, in order, loading one recipe of each level at a time.
class ContentCursor {
public:
    // `reader` outlives this.
    ContentCursor(ChunkReader& reader, Content const& content);

    // Nothing at the end. Throws RepositoryError{corrupt} when a recipe cannot be read or its
    // entries do not add up to what was said of it.
    std::optional<ListEntry> next();
    // Leaves out recipes for which `is_known` holds; it gets the level of their own entries.
    using IsKnown = std::function<bool(ListEntry const& recipe, std::uint8_t level)>;
    void skip_known(IsKnown is_known) { is_known_ = std::move(is_known); }

private:
    struct Level {
        std::vector<ListEntry> entries;
        std::size_t at = 0;
    };
    ChunkReader& reader_;
    std::vector<Level> levels_;  // the highest first; the last one's entries are of level 0
    std::size_t depth_ = 0;
    IsKnown is_known_;
};

// The nodes of a directory, in byte order of their names.
class DirectoryCursor {
public:
    DirectoryCursor(ChunkReader& reader, Content const& content);
    DirectoryCursor(DirectoryCursor const&) = delete;
    DirectoryCursor& operator=(DirectoryCursor const&) = delete;
    ~DirectoryCursor() { reader_.let_go(held_); }

    // Null at the end. Valid until the next call.
    Node const* next();
    // The node of this name, or null. Names must be asked for in ascending order.
    Node const* seek(std::string const& name);

private:
    bool load_piece();

    ChunkReader& reader_;
    ContentCursor pieces_;
    std::vector<Node> nodes_;
    std::size_t at_ = 0;
    std::string last_name_;
    std::uint64_t held_ = 0;
};

// The node at `path` ("a/b", leading slash allowed, "" is the root itself) beneath `root`.
// Nothing when there is none.
std::optional<Node> find_node(ChunkReader& reader, Node const& root, std::string const& path);

}  // namespace coffre
