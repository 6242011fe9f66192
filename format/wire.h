// How numbers, texts and lists become bytes: little-endian, canonical varints, nothing left over.
//
// docs/format.md, section "Wire".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

#include "format/bytes.h"
#include "format/error.h"
#include "format/id.h"

namespace coffre {

// Appends to a growing buffer.
class Writer {
public:
    void u8(std::uint8_t value) { bytes_.push_back(static_cast<std::byte>(value)); }
    void u16(std::uint16_t value) { little_endian(value, 2); }
    void u32(std::uint32_t value) { little_endian(value, 4); }
    void u64(std::uint64_t value) { little_endian(value, 8); }
    // LEB128: seven bits a byte, the lowest first.
    void varint(std::uint64_t value);
    // Zigzag, then varint.
    void signed_varint(std::int64_t value);
    void raw(ByteView bytes) { append(bytes_, bytes); }
    // Length as varint, then the bytes.
    void sized(ByteView bytes);
    void text(std::string_view text) { sized(as_bytes(text)); }
    template <class Tag, std::size_t Size>
    void id(Id<Tag, Size> const& id) {
        raw(id.bytes);
    }

    // Secrets would else be moved as they grow, and their old place not be wiped.
    void reserve(std::size_t size) { bytes_.reserve(size); }
    std::size_t size() const { return bytes_.size(); }
    ByteView view() const { return bytes_; }
    Bytes take() { return std::move(bytes_); }

private:
    void little_endian(std::uint64_t value, int size);

    Bytes bytes_;
};

// Reads from bytes that outlive it. Every member throws FormatError when the bytes end early.
class Reader {
public:
    // `what` names the object in messages.
    Reader(ByteView bytes, std::string_view what) : rest_(bytes), what_(what) {}

    std::uint8_t u8() { return static_cast<std::uint8_t>(little_endian(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(little_endian(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(little_endian(4)); }
    std::uint64_t u64() { return little_endian(8); }
    // Throws also when the number is written in more bytes than it needs.
    std::uint64_t varint();
    std::int64_t signed_varint();
    // A varint that must not be above `limit`; `name` says of what, in the message.
    std::uint64_t bounded(std::uint64_t limit, std::string_view name);
    // As `bounded`, and each of the counted things needs at least one more byte.
    std::size_t count(std::uint64_t limit, std::string_view name);
    // A view into the bytes read from.
    ByteView raw(std::size_t size);
    ByteView sized(std::uint64_t limit, std::string_view name);
    std::string text(std::uint64_t limit, std::string_view name) {
        return to_text(sized(limit, name));
    }
    template <class IdType>
    IdType id() {
        return IdType::from(raw(IdType::size));
    }

    std::size_t remaining() const { return rest_.size(); }
    // Whether `bytes` come next.
    bool starts_with(ByteView bytes) const;
    // Throws when bytes are left.
    void expect_end() const;
    [[noreturn]] void fail(std::string const& message) const;

private:
    std::uint64_t little_endian(std::size_t size);

    ByteView rest_;
    std::string what_;
};

}  // namespace coffre
