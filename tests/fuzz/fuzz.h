// What all fuzz targets share. A target may end in FormatError and in nothing else.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "format/bytes.h"
#include "format/error.h"
#include "format/id.h"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size);

namespace coffre {

inline void require(bool holds, char const* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

inline bool equal(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

// Aborts when `decode` takes bytes that are not what `encode` makes of its value.
template <class Decode, class Encode>
int check_canonical(std::uint8_t const* data, std::size_t size, Decode const& decode,
                    Encode const& encode) {
    ByteView const input = std::as_bytes(std::span(data, size));
    auto const value = [&]() -> std::optional<decltype(decode(input))> {
        try {
            return decode(input);
        } catch (FormatError const&) {
            return std::nullopt;
        }
    }();
    if (value) require(equal(encode(*value), input), "a decoded value encodes to its bytes");
    return 0;
}

}  // namespace coffre
