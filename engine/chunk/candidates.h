// Where a cut may be: positions whose 64 bytes hash to leading zeros. The hot loop of chunking.
//
// Algorithm: docs/format.md, section "Chunking".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "engine/chunk/chunker_key.h"

namespace coffre {

inline constexpr std::size_t chunk_window = 64;
inline constexpr std::size_t candidate_block = 1024;

using CandidatePositions = std::array<std::uint16_t, candidate_block>;

// Writes to `positions`, ascending, each i in [0, count) at which the window that ends with byte
// `bytes[i + 63]` is a candidate, and returns how many. `bytes` has count + 63 bytes, count is at
// most `candidate_block`.
std::size_t find_candidates(ChunkerKey const& key, unsigned bits, ByteView bytes, std::size_t count,
                            CandidatePositions& positions);

}  // namespace coffre
