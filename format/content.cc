#include "format/content.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint8_t recipe_mark = 'R';

void write_entries(Writer& out, std::vector<ListEntry> const& entries) {
    out.varint(entries.size());
    for (auto const& entry : entries) {
        out.varint(entry.weight);
        out.id(entry.id);
    }
}

std::vector<ListEntry> read_entries(Reader& in, std::uint64_t limit) {
    std::vector<ListEntry> entries;
    std::uint64_t total = 0;
    auto const count = in.count(limit, "number of list entries");
    entries.reserve(std::min<std::size_t>(count, in.remaining() / (ChunkId::size + 1)));
    for (std::size_t i = 0; i < count; ++i) {
        ListEntry entry;
        entry.weight = in.varint();
        // Else a list could go on for ever without getting anywhere.
        if (entry.weight == 0) in.fail("an entry of nothing");
        if (entry.weight > UINT64_MAX - total) in.fail("sizes add up beyond 64 bits");
        total += entry.weight;
        entry.id = in.id<ChunkId>();
        entries.push_back(entry);
    }
    return entries;
}

}  // namespace

std::uint64_t Content::weight() const {
    std::uint64_t total = 0;
    for (auto const& entry : entries) total += entry.weight;
    return total;
}

void write_content(Writer& out, Content const& content) {
    out.u8(content.level);
    write_entries(out, content.entries);
}

Content read_content(Reader& in) {
    Content content;
    content.level = in.u8();
    if (content.level > limits::recipe_levels)
        in.fail("recipe level " + std::to_string(content.level));
    content.entries = read_entries(in, limits::inline_entries);
    if (content.level > 0 && content.entries.empty()) in.fail("recipes of nothing");
    return content;
}

Bytes encode_recipe(std::uint8_t level, std::vector<ListEntry> const& entries) {
    Writer out;
    out.u8(recipe_mark);
    out.u8(level);
    write_entries(out, entries);
    return out.take();
}

std::vector<ListEntry> decode_recipe(ByteView bytes, std::uint8_t level) {
    Reader in(bytes, "recipe");
    if (in.u8() != recipe_mark) in.fail("not a recipe");
    auto const found = in.u8();
    if (found != level) {
        in.fail("level is " + std::to_string(found) + ", expected " + std::to_string(level));
    }
    auto entries = read_entries(in, limits::list_max_entries);
    if (entries.empty()) in.fail("empty");
    in.expect_end();
    return entries;
}

bool ends_list(std::size_t length, std::uint64_t prefix) {
    if (length >= limits::list_max_entries) return true;
    return length >= limits::list_min_entries && prefix < (std::uint64_t{1} << 56U);
}

}  // namespace coffre
