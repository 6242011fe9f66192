// What a node's bytes are made of: a list of chunks, or of recipes that list them.
//
// docs/format.md, section "Lists".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/wire.h"

namespace coffre {

// For a file `weight` is the plaintext bytes beneath, for a directory the entries beneath.
struct ListEntry {
    ChunkId id;
    std::uint64_t weight = 0;

    bool operator==(ListEntry const&) const = default;
};

// level 0: the entries are chunks of the file, or pieces of the directory, themselves;
// level n: they are recipes, whose entries are of level n - 1.
struct Content {
    std::uint8_t level = 0;
    std::vector<ListEntry> entries;  // at most limits::inline_entries

    std::uint64_t weight() const;
    bool operator==(Content const&) const = default;
};

void write_content(Writer& out, Content const& content);
Content read_content(Reader& in);

// A recipe: the plaintext of one meta chunk. `level` is that of its own entries: one below the list
// whose entry points here.
Bytes encode_recipe(std::uint8_t level, std::vector<ListEntry> const& entries);
std::vector<ListEntry> decode_recipe(ByteView bytes, std::uint8_t level);

// True when a list of `length` entries ends after one whose id (or name's hash) starts with
// `prefix`: where a list is cut depends on what is in it, so an insertion moves few cuts.
bool ends_list(std::size_t length, std::uint64_t prefix);

}  // namespace coffre
