// Turns a sequence of chunks into a Content: inline when short, else recipes cut by content.
//
// docs/format.md, section "Lists".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

#include "format/content.h"

namespace coffre {

// Stores a meta chunk and returns its id.
using StoreMeta = std::function<ChunkId(Bytes)>;

// Holds at most one unfinished recipe a level.
class ListBuilder {
public:
    // `store` must be the same in all calls.
    void add(ListEntry const& entry, StoreMeta const& store);
    // The builder is empty again afterwards.
    Content finish(StoreMeta const& store);

private:
    void add_at(std::size_t level, ListEntry const& entry, StoreMeta const& store);
    void close(std::size_t level, StoreMeta const& store);

    std::vector<std::vector<ListEntry>> levels_;
};

}  // namespace coffre
