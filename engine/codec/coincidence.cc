#include "engine/codec/coincidence.h"

#include <array>

namespace coffre {

namespace {

constexpr std::size_t smallest = 64;
constexpr std::size_t pieces = 8;
constexpr std::size_t piece_size = 128;
constexpr std::size_t values = 256;

using Counts = std::array<std::uint32_t, values>;

void count(ByteView bytes, Counts& counts) {
    for (auto const byte : bytes) ++counts[std::to_integer<std::size_t>(byte)];
}

// Returns the size of the sample: pieces from the beginning to the end.
std::size_t count_sample(ByteView bytes, Counts& counts) {
    constexpr std::size_t sample = pieces * piece_size;
    if (bytes.size() <= sample) {
        count(bytes, counts);
        return bytes.size();
    }
    std::size_t const stride = (bytes.size() - piece_size) / (pieces - 1);
    for (std::size_t i = 0; i < pieces; ++i) count(bytes.subspan(i * stride, piece_size), counts);
    return sample;
}

}  // namespace

bool looks_random(ByteView bytes) {
    if (bytes.size() < smallest) return false;
    Counts counts{};
    std::uint64_t const size = count_sample(bytes, counts);
    std::uint64_t same = 0;  // pairs, each twice
    for (auto const count : counts) same += std::uint64_t{count} * count;
    same -= size;
    // Of the size * (size - 1) pairs of random bytes, one in 256 is the same.
    return same * values * 2 < size * (size - 1) * 5;
}

}  // namespace coffre
