// Where a cut may be: positions whose 64 bytes hash to leading zeros. The hot loop of chunking.
//
// Algorithm: docs/format.md, section "Chunking".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <vector>

#include "engine/chunk/chunker_key.h"

namespace coffre {

inline constexpr std::size_t chunk_window = 64;
inline constexpr std::size_t candidate_block = 4096;

using CandidatePositions = std::array<std::uint16_t, candidate_block>;

// The loop, compiled for one instruction set.
struct CandidateForm {
    char const* name;
    // Writes to `positions`, ascending, each i in [0, count) at which the window that ends before
    // `bytes[i + 64]` is a candidate, and returns how many. `bytes` has the 64 bytes before the
    // first position and the one after each: count + 64. `count` is at most `candidate_block`.
    std::size_t (*find)(ChunkerKey const& key, unsigned bits, ByteView bytes, std::size_t count,
                        CandidatePositions& positions);
};

// Those of AVX-512, AVX2, SSE4, SSSE3 and NEON that this processor can run, the fastest first, and
// plain loops at last. All find the same.
std::vector<CandidateForm> const& candidate_forms();

}  // namespace coffre
