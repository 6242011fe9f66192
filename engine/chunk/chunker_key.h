// The numbers that decide where this repository cuts.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/crypto/secret.h"

namespace coffre {

struct ChunkerKey {
    std::array<std::uint16_t, 5> factors{};  // odd
    std::uint16_t offset = 0;
    std::array<unsigned char, 16> strength{};  // SipHash-2-4 key

    bool operator==(ChunkerKey const&) const = default;
};

// How many leading bits of the window's hash must be zero for a candidate: min(12, log2(average) -
// 2).
unsigned candidate_bits(std::uint32_t average);

// Derived from the repository's chunker key. Keys under which a run of one byte value would be a
// candidate are passed over, so that padding does not cut at every byte.
ChunkerKey make_chunker_key(SecretKey const& secret, ChunkerSizes const& sizes);

}  // namespace coffre
