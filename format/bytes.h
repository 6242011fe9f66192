// The two ways in which bytes travel: owned, and looked at.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace coffre {

// Leaves elements that are given no value as they are.
struct UnclearedAllocator : std::allocator<std::byte> {
    template <class Other>
    struct rebind {  // NOLINT(readability-identifier-naming): the standard's name
        using other = UnclearedAllocator;
    };
    void construct(std::byte* place) noexcept { ::new (place) std::byte; }
    void construct(std::byte* place, std::byte value) noexcept { ::new (place) std::byte(value); }
};

// A vector of bytes. New ones are zero, unless asked otherwise: clearing what is written whole
// right away took a tenth of a check's time.
class Bytes : public std::vector<std::byte, UnclearedAllocator> {
    using Base = std::vector<std::byte, UnclearedAllocator>;

public:
    using Base::Base;
    explicit Bytes(std::size_t size) : Base(size, std::byte{}) {}
    void resize(std::size_t size) { Base::resize(size, std::byte{}); }

    // New bytes are undefined: to be written before they are read, or stored.
    static Bytes uncleared(std::size_t size) {
        Bytes bytes;
        bytes.resize_uncleared(size);
        return bytes;
    }
    void resize_uncleared(std::size_t size) { Base::resize(size); }
};

using ByteView = std::span<std::byte const>;

inline ByteView as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

inline std::string to_text(ByteView bytes) {
    return {static_cast<char const*>(static_cast<void const*>(bytes.data())), bytes.size()};
}

inline void append(Bytes& to, ByteView more) {
    std::size_t const before = to.size();
    to.resize_uncleared(before + more.size());
    if (!more.empty()) std::memcpy(to.data() + before, more.data(), more.size());
}

}  // namespace coffre
