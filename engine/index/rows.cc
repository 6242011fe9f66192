#include "engine/index/rows.h"

#include <algorithm>
#include <array>

#include "engine/crypto/hash.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t check_size = 8;

// XXH3-64(table, key, value)
std::uint64_t check_of(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed) {
    // A chunk's row is looked up millions of times: it needs no memory.
    std::array<std::byte, 64> small;
    Bytes large;
    std::size_t const size = 1 + key.size() + value.size();
    if (size > small.size()) large.resize(size);
    auto const all = size > small.size() ? std::span(large) : std::span(small).first(size);
    all[0] = std::byte{table};
    std::copy(key.begin(), key.end(), all.begin() + 1);
    std::copy(value.begin(), value.end(),
              all.begin() + 1 + static_cast<std::ptrdiff_t>(key.size()));
    return xxh3_keyed(all, seed);
}

}  // namespace

Bytes with_check(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed) {
    Writer out;
    out.raw(value);
    out.u64(check_of(table, key, value, seed));
    return out.take();
}

std::optional<Bytes> checked(std::uint8_t table, ByteView key, Bytes stored, std::uint64_t seed) {
    if (stored.size() < check_size) return std::nullopt;
    std::size_t const size = stored.size() - check_size;
    Reader check(ByteView(stored).subspan(size), "check of an index row");
    bool const fits = check.u64() == check_of(table, key, ByteView(stored).first(size), seed);
    if (!fits && !mutant("any-index-value")) return std::nullopt;
    stored.resize(size);
    return stored;
}

Bytes number_key(PackNumber number) {
    Writer out;
    for (unsigned shift = 32; shift > 0;) out.u8(static_cast<std::uint8_t>(number >> (shift -= 8)));
    return out.take();  // big-endian, so that keys ascend
}

PackNumber number_of_key(ByteView key) {
    PackNumber number = 0;
    for (std::byte const b : key) number = number << 8U | std::to_integer<PackNumber>(b);
    return number;
}

Bytes place_value(ChunkPlace const& place) {
    Writer out;
    out.u32(place.pack);
    out.u32(place.block);
    return out.take();
}

}  // namespace coffre
