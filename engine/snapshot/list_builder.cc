#include "engine/snapshot/list_builder.h"

#include "format/limits.h"

namespace coffre {

void ListBuilder::add(ListEntry const& entry, StoreMeta const& store) {
    add_at(0, entry, store);
}

void ListBuilder::add_at(std::size_t level, ListEntry const& entry, StoreMeta const& store) {
    if (levels_.size() == level) levels_.emplace_back();
    levels_[level].push_back(entry);
    if (ends_list(levels_[level].size(), entry.id.prefix())) close(level, store);
}

void ListBuilder::close(std::size_t level, StoreMeta const& store) {
    Content const list{0, std::move(levels_[level])};
    levels_[level].clear();
    ChunkId const id = store(encode_recipe(static_cast<std::uint8_t>(level), list.entries));
    add_at(level + 1, {id, list.weight()}, store);
}

Content ListBuilder::finish(StoreMeta const& store) {
    Content content;
    for (std::size_t level = 0; level < levels_.size(); ++level) {
        bool const is_top = level + 1 == levels_.size();
        if (is_top && levels_[level].size() <= limits::inline_entries) {
            content = {static_cast<std::uint8_t>(level), std::move(levels_[level])};
            break;
        }
        if (!levels_[level].empty()) close(level, store);
    }
    levels_.clear();
    return content;
}

}  // namespace coffre
