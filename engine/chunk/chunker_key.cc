#include "engine/chunk/chunker_key.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/crypto/kdf.h"
#include "format/wire.h"

namespace coffre {

namespace {

ChunkerKey draw(SecretKey const& secret, std::uint32_t attempt) {
    Writer label;
    label.raw(as_bytes("coffre-chunker"));
    label.u32(attempt);
    SecretKey const drawn = subkey(secret, label.view());
    Reader in(drawn.view(), "chunker key");
    ChunkerKey key;
    for (auto& factor : key.factors) factor = in.u16() | 1U;
    key.offset = in.u16();
    ByteView const strength = in.raw(key.strength.size());
    std::memcpy(key.strength.data(), strength.data(), strength.size());
    return key;
}

std::uint16_t hash_of_run(ChunkerKey const& key, unsigned value) {
    unsigned hash = value * 257;
    for (auto const factor : key.factors) hash += factor * (hash & 0xffffU);
    return static_cast<std::uint16_t>(hash + key.offset);
}

bool cuts_runs(ChunkerKey const& key, unsigned bits) {
    for (unsigned value = 0; value < 256; ++value) {
        if (hash_of_run(key, value) >> (16U - bits) == 0) return true;
    }
    return false;
}

}  // namespace

unsigned candidate_bits(std::uint32_t average) {
    return std::min(12U, static_cast<unsigned>(std::bit_width(average)) - 3);
}

ChunkerKey make_chunker_key(SecretKey const& secret, ChunkerSizes const& sizes) {
    for (std::uint32_t attempt = 0;; ++attempt) {
        ChunkerKey const key = draw(secret, attempt);
        if (!cuts_runs(key, candidate_bits(sizes.average))) return key;
    }
}

}  // namespace coffre
