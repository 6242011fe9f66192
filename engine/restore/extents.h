// Where the bytes of a file's content lie in the file: around its holes.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>

#include "format/tree.h"

namespace coffre {

// What a hole reads as.
inline bool is_zero(ByteView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

// Calls `use(offset in the file, begin, size)` for each unbroken part of the `size` bytes from
// `offset` of the content on; `begin` counts from `offset`.
template <class Use>
void each_extent(std::vector<Hole> const& holes, std::uint64_t offset, std::uint64_t size,
                 Use const& use) {
    std::uint64_t skipped = 0;  // bytes of holes before the part
    std::uint64_t done = 0;
    for (auto const& hole : holes) {
        std::uint64_t const until = hole.offset - skipped;  // the content before this hole
        if (until > offset + done && done < size) {
            std::uint64_t const part = std::min(size - done, until - offset - done);
            use(offset + done + skipped, done, part);
            done += part;
        }
        if (done == size) return;
        skipped += hole.size;
    }
    if (done < size) use(offset + done + skipped, done, size - done);
}

}  // namespace coffre
