#include "engine/snapshot/tree_replay.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

// The bytes of a file's chunks, one after the other.
class ContentBytes {
public:
    ContentBytes(ChunkReader& reader, Content const& content)
        : reader_(reader), chunks_(reader, content) {}

    // Fills the span as far as they go.
    std::size_t read(std::span<std::byte> into) {
        std::size_t filled = 0;
        while (filled < into.size() && (at_ < chunk_.size() || load())) {
            std::size_t const size = std::min(into.size() - filled, chunk_.size() - at_);
            std::copy_n(chunk_.begin() + static_cast<std::ptrdiff_t>(at_), size,
                        into.begin() + static_cast<std::ptrdiff_t>(filled));
            at_ += size;
            filled += size;
        }
        return filled;
    }

private:
    bool load() {
        auto const entry = chunks_.next();
        if (!entry) return false;
        chunk_ = reader_.read(PackKind::data, entry->id);
        at_ = 0;
        if (chunk_.empty() || chunk_.size() != entry->weight)
            throw corrupt("chunk " + entry->id.hex() + ": has another size");
        return true;
    }

    ChunkReader& reader_;
    ContentCursor chunks_;
    Bytes chunk_;
    std::size_t at_ = 0;
};

// As it is before its contents are known.
Node without_content(Node node) {
    node.content = {};
    node.digest = {};
    node.hash = {};
    node.holes.clear();
    return node;
}

}  // namespace

TreeReplay::TreeReplay(ChunkReader& from, CopiedTree const* before, Splitter& split,
                       Progress& progress)
    : from_(from), before_(before), split_(split), progress_(progress) {}

void TreeReplay::replay(Snapshot const& snapshot) {
    entries_.emplace(snapshot.statistics);
    Before before;
    if (before_ != nullptr) before = {&before_->there, &before_->here};
    replay_directory(snapshot.root, before, 0);
    split_.flush();
}

void TreeReplay::replay_directory(Node const& node, Before const& before, std::size_t depth) {
    if (depth > limits::tree_depth) throw corrupt("nested too deeply");
    split_.add(EnterDirectory{without_content(node)});
    replay_entries(node, before, depth);
    split_.add(LeaveDirectory{});
}

void TreeReplay::replay_entries(Node const& folder, Before const& before, std::size_t depth) {
    DirectoryCursor entries(from_, folder.content);
    std::optional<DirectoryCursor> there;
    std::optional<DirectoryCursor> here;
    bool const has_both = before.there != nullptr && before.there->is_directory() &&
                          before.here != nullptr && before.here->is_directory();
    if (has_both) {
        there.emplace(from_, before.there->content);
        here.emplace(before_->reader, before.here->content);
    }
    while (Node const* const entry = entries.next()) {
        progress_.check_stop();
        entries_->add();
        Before of_entry;
        if (has_both) of_entry = {there->seek(entry->name), here->seek(entry->name)};
        if (entry->is_directory()) {
            replay_directory(*entry, of_entry, depth + 1);
        } else if (entry->is_file()) {
            replay_file(*entry, of_entry);
        } else {
            split_.add(AddNode{*entry});
        }
    }
}

// What names the same chunks there has the same bytes here.
bool TreeReplay::may_inherit(Node const& node, Before const& before) const {
    return before.there != nullptr && before.here != nullptr && before.there->is_file() &&
           before.here->is_file() && before.there->content == node.content &&
           before.there->size == node.size && before.there->hash == node.hash &&
           before.here->size == node.size && before.here->hash == node.hash &&
           before.there->holes == node.holes && before_->may_inherit(*before.here);
}

void TreeReplay::replay_file(Node const& node, Before const& before) {
    ++progress_.files;
    if (!may_inherit(node, before)) return read_file(node);
    Node inherited = node;
    inherited.content = before.here->content;
    progress_.bytes += node.size;
    split_.add(AddNode{std::move(inherited), true});
}

void TreeReplay::read_file(Node const& node) {
    split_.add(BeginFile{0, without_content(node), true});
    ContentBytes bytes(from_, node.content);
    split_.add_bytes(0, [&](std::span<std::byte> into) {
        progress_.check_stop();
        std::size_t const size = bytes.read(into);
        progress_.bytes += size;
        return size;
    });
    for (auto const& hole : node.holes) progress_.bytes += hole.size;
    EndFile end;
    end.holes = node.holes;
    split_.add(std::move(end));
}

}  // namespace coffre
