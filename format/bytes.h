// The two ways in which bytes travel: owned, and looked at.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace coffre {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<std::byte const>;

inline ByteView as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string to_text(ByteView bytes) {
    std::string text(bytes.size(), '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) text[i] = static_cast<char>(bytes[i]);
    return text;
}

inline void append(Bytes& to, ByteView more) {
    if (more.empty()) return;
    std::size_t const old_size = to.size();
    to.resize(old_size + more.size());
    std::memcpy(to.data() + old_size, more.data(), more.size());
}

}  // namespace coffre
