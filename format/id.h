// Names of things: fixed numbers of bytes that do not convert into each other.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "format/bytes.h"

namespace coffre {

// Lower-case hexadecimal digits, two a byte.
std::string to_hex(ByteView bytes);

// The bytes that `hex` spells, or nothing when it is not an even number of lower-case hex digits.
std::optional<Bytes> from_hex(std::string_view hex);

// `Tag` only tells kinds of ids apart.
template <class Tag, std::size_t Size>
struct Id {
    static constexpr std::size_t size = Size;
    std::array<std::byte, Size> bytes{};

    // The id that `hex` spells in full, or nothing.
    static std::optional<Id> parse(std::string_view hex) {
        auto const raw = from_hex(hex);
        if (!raw || raw->size() != Size) return std::nullopt;
        return from(*raw);
    }
    // `raw` holds at least `Size` bytes.
    static Id from(ByteView raw) {
        Id id;
        std::memcpy(id.bytes.data(), raw.data(), Size);
        return id;
    }
    std::string hex() const { return to_hex(bytes); }
    // The first 8 bytes, little-endian: enough to bucket by, since ids are uniform.
    std::uint64_t prefix() const {
        std::uint64_t value = 0;
        for (std::size_t i = 8; i-- > 0;)
            value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
        return value;
    }
    bool is_zero() const { return *this == Id{}; }
    auto operator<=>(Id const&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct IdHash {
    template <class Tag, std::size_t Size>
    std::size_t operator()(Id<Tag, Size> const& id) const {
        return static_cast<std::size_t>(id.prefix());
    }
};

using ChunkId = Id<struct ChunkTag, 32>;      // keyed BLAKE3-256 of plaintext
using Digest = Id<struct DigestTag, 32>;      // unkeyed BLAKE3-256
using FileHash = Id<struct FileHashTag, 16>;  // XXH3-128 of a whole file, big-endian (canonical)
using RepositoryId = Id<struct RepositoryTag, 16>;
using PackId = Id<struct PackTag, 16>;
using BundleId = Id<struct BundleTag, 16>;
using SessionId = Id<struct SessionTag, 16>;  // also names the snapshot's slot
using SlotId = Id<struct SlotTag, 16>;        // a key slot
using KeyId = Id<struct KeyTag, 16>;          // a session key
using WriterId = Id<struct WriterTag, 16>;    // one host's writers of one repository

}  // namespace coffre
