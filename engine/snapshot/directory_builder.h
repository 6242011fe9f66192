// Turns a directory's entries, one by one, into stored pieces and a digest.
//
// Holds one piece, however many entries there are. docs/format.md, section "Trees".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/crypto/hash.h"
#include "engine/snapshot/list_builder.h"
#include "format/tree.h"

namespace coffre {

class DirectoryBuilder {
public:
    explicit DirectoryBuilder(Node directory) : directory_(std::move(directory)) {}

    // Throws FormatError when no reader would accept the entry, or its name does not come after the
    // one before.
    void add(Node const& entry, ChunkNamer const& namer, StoreMeta const& store);
    // The directory's node with content and digest.
    Node finish(std::uint64_t flags, StoreMeta const& store);

private:
    void close_piece(StoreMeta const& store);

    Node directory_;
    Writer piece_;
    std::size_t piece_entries_ = 0;
    std::string last_name_;
    ListBuilder pieces_;
    Blake3 digest_;
};

}  // namespace coffre
