#include "engine/repository/tree_reader.h"

#include <utility>

#include "engine/util/paths.h"
#include "format/mutant.h"

namespace coffre {

namespace {

[[noreturn]] void fail(ChunkId const& id, std::string const& what) {
    throw corrupt("chunk " + id.hex() + ": " + what);
}

}  // namespace

std::uint64_t memory_of(Node const& node) {
    std::uint64_t bytes = sizeof node + node.name.size() + node.user.size() + node.group.size() +
                          node.target.size() + node.holes.capacity() * sizeof(Hole) +
                          node.content.entries.capacity() * sizeof(ListEntry) +
                          node.xattrs.capacity() * sizeof(Xattr);
    for (auto const& attribute : node.xattrs) {
        bytes += attribute.name.size() + attribute.value.size();
    }
    return bytes;
}

Content read_recipe(ChunkReader& reader, ChunkId const& id, std::uint8_t level) {
    return {level, decode_recipe(reader.read(PackKind::meta, id), level)};
}

Content read_checked_recipe(ChunkReader& reader, ListEntry const& recipe, std::uint8_t level) {
    try {
        Content list = read_recipe(reader, recipe.id, level);
        if (list.weight() != recipe.weight) throw FormatError("recipe has another size");
        return list;
    } catch (FormatError const& error) {
        fail(recipe.id, error.what());
    }
}

void EntryCount::add() {
    if (++entries_ <= limit_ || mutant("unbounded")) return;
    throw corrupt("the tree holds more than the " + std::to_string(entries_ - 1) +
                  " entries that its snapshot says");
}

ContentCursor::ContentCursor(ChunkReader& reader, Content const& content)
    : reader_(reader), levels_(content.level + std::size_t{1}) {
    levels_[0].entries = content.entries;
}

std::optional<ListEntry> ContentCursor::next() {
    for (;;) {
        Level& level = levels_[depth_];
        if (level.at == level.entries.size()) {
            if (depth_ == 0) return std::nullopt;
            --depth_;
            continue;
        }
        ListEntry const entry = level.entries[level.at++];
        if (depth_ + 1 == levels_.size()) return entry;
        auto const below = static_cast<std::uint8_t>(levels_.size() - 2 - depth_);
        if (is_known_ && is_known_(entry, below)) continue;
        levels_[depth_ + 1] = {read_checked_recipe(reader_, entry, below).entries, 0};
        ++depth_;
    }
}

DirectoryCursor::DirectoryCursor(ChunkReader& reader, Content const& content)
    : reader_(reader), pieces_(reader, content) {}

bool DirectoryCursor::load_piece() {
    auto const entry = pieces_.next();
    if (!entry) return false;
    try {
        Bytes const piece = reader_.read(PackKind::meta, entry->id);
        nodes_ = decode_tree_piece(piece);
        reader_.let_go(std::exchange(held_, 0));
        std::uint64_t held = 0;
        for (auto const& node : nodes_) held += memory_of(node);
        reader_.hold(held);
        held_ = held;
    } catch (FormatError const& error) {
        fail(entry->id, error.what());
    }
    if (nodes_.size() != entry->weight) fail(entry->id, "piece has another number of nodes");
    if (!last_name_.empty() && nodes_.front().name <= last_name_) {
        fail(entry->id, "names out of order at \"" + nodes_.front().name + "\"");
    }
    last_name_ = nodes_.back().name;
    at_ = 0;
    return true;
}

Node const* DirectoryCursor::next() {
    if (at_ == nodes_.size() && !load_piece()) return nullptr;
    return &nodes_[at_++];
}

Node const* DirectoryCursor::seek(std::string const& name) {
    for (;;) {
        if (at_ == nodes_.size() && !load_piece()) return nullptr;
        if (last_name_ < name) {
            at_ = nodes_.size();
            continue;
        }
        while (at_ < nodes_.size() && nodes_[at_].name < name) ++at_;
        if (at_ < nodes_.size()) return nodes_[at_].name == name ? &nodes_[at_++] : nullptr;
    }
}

std::optional<Node> find_node(ChunkReader& reader, Node const& root, std::string const& path) {
    Node node = root;
    for (auto const& name : components_of(path)) {
        if (!node.is_directory()) return std::nullopt;
        DirectoryCursor cursor(reader, node.content);
        Node const* const found = cursor.seek(name);
        if (found == nullptr) return std::nullopt;
        node = Node(*found);
    }
    return node;
}

}  // namespace coffre
