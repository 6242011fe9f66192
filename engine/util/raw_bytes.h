// The one place where std::byte meets the `unsigned char` of C libraries.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/bytes.h"

namespace coffre {

inline unsigned char const* raw(ByteView bytes) {
    return static_cast<unsigned char const*>(static_cast<void const*>(bytes.data()));
}
inline unsigned char* raw(std::span<std::byte> bytes) {
    return static_cast<unsigned char*>(static_cast<void*>(bytes.data()));
}
inline unsigned char* raw(Bytes& bytes) {
    return raw(std::span<std::byte>(bytes));
}
inline unsigned char const* raw(Bytes const& bytes) {
    return raw(ByteView(bytes));
}

}  // namespace coffre
