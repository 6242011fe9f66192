#include "format/wire.h"

namespace coffre {

void Writer::little_endian(std::uint64_t value, int size) {
    for (int i = 0; i < size; ++i)
        u8(static_cast<std::uint8_t>(value >> (8U * static_cast<unsigned>(i))));
}

void Writer::varint(std::uint64_t value) {
    while (value >= 0x80) {
        u8(static_cast<std::uint8_t>(value | 0x80U));
        value >>= 7U;
    }
    u8(static_cast<std::uint8_t>(value));
}

void Writer::signed_varint(std::int64_t value) {
    auto const bits = static_cast<std::uint64_t>(value);
    varint(bits << 1U ^ (value < 0 ? ~std::uint64_t{0} : 0));
}

void Writer::sized(ByteView bytes) {
    varint(bytes.size());
    raw(bytes);
}

std::uint64_t Reader::little_endian(std::size_t size) {
    ByteView const bytes = raw(size);
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
        value = value << 8U | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

std::uint64_t Reader::varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {  // to 63 at most, where either line leaves
        std::uint64_t const byte = u8();
        if (shift == 63 && byte > 1) fail("number above 64 bits");
        value |= (byte & 0x7fU) << shift;
        if (byte < 0x80) {
            if (byte == 0 && shift > 0) fail("number not in its shortest form");
            return value;
        }
    }
}

std::int64_t Reader::signed_varint() {
    std::uint64_t const bits = varint();
    return static_cast<std::int64_t>(bits >> 1U ^ ((bits & 1U) != 0 ? ~std::uint64_t{0} : 0));
}

std::uint64_t Reader::bounded(std::uint64_t limit, std::string_view name) {
    std::uint64_t const value = varint();
    if (value > limit) {
        fail(std::string(name) + " is " + std::to_string(value) + ", above the limit of " +
             std::to_string(limit));
    }
    return value;
}

std::size_t Reader::count(std::uint64_t limit, std::string_view name) {
    std::uint64_t const value = bounded(limit, name);
    if (value > rest_.size()) {
        fail(std::string(name) + " is " + std::to_string(value) + ", but only " +
             std::to_string(rest_.size()) + " bytes follow");
    }
    return static_cast<std::size_t>(value);
}

ByteView Reader::raw(std::size_t size) {
    if (size > rest_.size()) {
        fail("needs " + std::to_string(size) + " more bytes, has " + std::to_string(rest_.size()));
    }
    ByteView const taken = rest_.first(size);
    rest_ = rest_.subspan(size);
    return taken;
}

ByteView Reader::sized(std::uint64_t limit, std::string_view name) {
    return raw(count(limit, name));
}

bool Reader::starts_with(ByteView bytes) const {
    return bytes.size() <= rest_.size() &&
           std::memcmp(bytes.data(), rest_.data(), bytes.size()) == 0;
}

void Reader::expect_end() const {
    if (!rest_.empty()) fail(std::to_string(rest_.size()) + " bytes too many");
}

void Reader::fail(std::string const& message) const {
    throw FormatError(what_ + ": " + message);
}

}  // namespace coffre
