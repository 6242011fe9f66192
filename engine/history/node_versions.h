// What tells two versions of an entry apart, and how to get at them by reading little.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/tree_reader.h"

namespace coffre {

// The same bytes and holes, target, device, or everything beneath. Kinds that differ never are.
bool same_content(Node const& a, Node const& b);
// The same mode, owner, attributes and time; a stream has the time of its run, which says nothing.
bool same_metadata(Node const& a, Node const& b);

// The pieces of a directory in their order, each of which holds some of its entries. Reads its
// recipes, not the pieces. Throws RepositoryError{corrupt}.
std::vector<ListEntry> pieces_of(ChunkReader& reader, Content const& content);

// Memory that the walk counts among what its cursors hold.
class HeldMemory {
public:
    // `reader` outlives this. Throws RepositoryError{corrupt} when all is more than any tree takes.
    HeldMemory(ChunkReader& reader, std::uint64_t bytes) : reader_(reader), bytes_(bytes) {
        reader_.hold(bytes);
    }
    HeldMemory(HeldMemory const&) = delete;
    HeldMemory& operator=(HeldMemory const&) = delete;
    ~HeldMemory() { reader_.let_go(bytes_); }

private:
    ChunkReader& reader_;
    std::uint64_t bytes_;
};

}  // namespace coffre
