#include "engine/chunk/candidates.h"

#include <algorithm>

namespace coffre {

namespace {

constexpr std::size_t lead = chunk_window - 1;
constexpr std::size_t group = 64;

using Words = std::array<std::uint16_t, candidate_block + lead>;

// into[i] = from[i + distance] + factor * from[i], for all i that the next levels need: plain
// loops over whole arrays, which the compiler turns into vector code.
template <std::size_t Distance, std::size_t Left>
void add_level(Words& into, Words const& from, unsigned factor) {
    for (std::size_t i = 0; i < candidate_block + Left; ++i) {
        into[i] = static_cast<std::uint16_t>(from[i + Distance] + factor * from[i]);
    }
}

void hash_windows(ChunkerKey const& key, std::byte const* bytes, Words& hashes) {
    Words even;
    Words odd;
    for (std::size_t i = 0; i < candidate_block + 62; ++i) {
        even[i] = static_cast<std::uint16_t>(static_cast<unsigned>(bytes[i]) |
                                             static_cast<unsigned>(bytes[i + 1]) << 8U);
    }
    add_level<2, 60>(odd, even, key.factors[0]);
    add_level<4, 56>(even, odd, key.factors[1]);
    add_level<8, 48>(odd, even, key.factors[2]);
    add_level<16, 32>(even, odd, key.factors[3]);
    add_level<32, 0>(hashes, even, key.factors[4]);
    for (std::size_t i = 0; i < candidate_block; ++i) {
        hashes[i] = static_cast<std::uint16_t>(hashes[i] + key.offset);
    }
}

std::size_t collect(Words const& hashes, unsigned shift, std::size_t count,
                    CandidatePositions& positions) {
    std::size_t found = 0;
    for (std::size_t start = 0; start < count; start += group) {
        std::uint16_t any = 0;
        for (std::size_t i = 0; i < group; ++i) {
            any = static_cast<std::uint16_t>(any | (hashes[start + i] >> shift == 0 ? 1 : 0));
        }
        if (any == 0) continue;
        for (std::size_t i = start; i < std::min(start + group, count); ++i) {
            if (hashes[i] >> shift == 0) positions[found++] = static_cast<std::uint16_t>(i);
        }
    }
    return found;
}

}  // namespace

std::size_t find_candidates(ChunkerKey const& key, unsigned bits, ByteView bytes, std::size_t count,
                            CandidatePositions& positions) {
    Words hashes;
    if (count == candidate_block) {
        hash_windows(key, bytes.data(), hashes);
    } else {
        std::array<std::byte, candidate_block + lead> padded{};
        std::copy_n(bytes.begin(), count + lead, padded.begin());
        hash_windows(key, padded.data(), hashes);
    }
    return collect(hashes, 16U - bits, count, positions);
}

}  // namespace coffre
