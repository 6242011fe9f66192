// The definition of a cut, word for word as in docs/format.md, section "Chunking": slow, and the
// reference for the real one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sodium.h>

#include <algorithm>
#include <array>

#include "engine/chunk/chunker_key.h"

namespace coffre {

class NaiveChunker {
public:
    NaiveChunker(SecretKey const& secret, ChunkerSizes const& sizes)
        : key_(make_chunker_key(secret, sizes)), sizes_(sizes) {
        while ((std::uint32_t{1} << (bits_ + 3)) <= sizes.average && bits_ < 12) ++bits_;
    }

    std::size_t cut(ByteView data) const {
        std::size_t length = sizes_.min;
        for (; length < std::min<std::size_t>(data.size(), sizes_.max); ++length) {
            ByteView const window = data.subspan(length - 64, 64);
            if (hash(window) >> (16 - bits_) == 0 && strength(window) < threshold(length)) break;
        }
        return std::min({length, data.size(), std::size_t{sizes_.max}});
    }

private:
    // H of the window's last position; i counts within the window, modulo 2^16 throughout.
    std::uint16_t hash(ByteView b) const {
        auto const at = [&](int i) {
            return std::to_integer<std::uint32_t>(b[static_cast<unsigned>(i)]);
        };
        auto const& a = key_.factors;
        auto const w = [&](int i) { return at(i - 1) | at(i) << 8U; };
        auto const h1 = [&](int i) { return w(i) + a[0] * w(i - 2); };
        auto const h2 = [&](int i) { return h1(i) + a[1] * h1(i - 4); };
        auto const h3 = [&](int i) { return h2(i) + a[2] * h2(i - 8); };
        auto const h4 = [&](int i) { return h3(i) + a[3] * h3(i - 16); };
        return static_cast<std::uint16_t>(h4(63) + a[4] * h4(63 - 32) + key_.offset);
    }

    std::uint64_t strength(ByteView window) const {
        std::array<unsigned char, 64> bytes{};
        for (std::size_t i = 0; i < 64; ++i) bytes[i] = std::to_integer<unsigned char>(window[i]);
        std::array<unsigned char, crypto_shorthash_BYTES> hash{};
        ::crypto_shorthash(hash.data(), bytes.data(), bytes.size(), key_.strength.data());
        std::uint64_t top = 0;
        for (std::size_t i = 8; i-- > 4;) top = top << 8U | hash[i];
        return top;
    }

    std::uint64_t threshold(std::size_t length) const {
        std::uint64_t const scaled = (std::uint64_t{1} << 32U) << bits_;
        return length <= sizes_.average ? scaled / (std::uint64_t{4} * sizes_.average)
                                        : scaled * 4 / sizes_.average;
    }

    ChunkerKey key_;
    ChunkerSizes sizes_;
    unsigned bits_ = 0;
};

}  // namespace coffre
