// Ends of writes that share a page of their file: it can be written past the cache once all its
// bytes are there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "format/bytes.h"

namespace coffre {

struct FilePiece {
    std::uint64_t offset = 0;  // in the file
    Bytes bytes;
};

// Threads may share it.
class PageJoiner {
public:
    // Takes a part of one page of `file`, which overlaps no other. Returns what is to be written
    // now: nothing, the whole page or, when as many pages wait as may, the piece.
    std::optional<FilePiece> join(void const* file, FilePiece piece);

    // Returns the pieces of `file` that wait; none of them does any more.
    std::vector<FilePiece> take(void const* file);

private:
    struct Page {
        std::vector<FilePiece> pieces;
        std::size_t size = 0;  // of all pieces
    };
    using Key = std::pair<void const*, std::uint64_t>;  // which page of which file

    std::mutex mutex_;
    std::map<Key, Page> waiting_;  // by mutex_
};

}  // namespace coffre
