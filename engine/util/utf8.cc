#include "engine/utf8.h"

namespace coffre {

namespace {

// The length of the sequence that begins with `lead`, or 0.
std::size_t sequence_length(unsigned lead) {
    if (lead < 0x80) return 1;
    if (lead < 0xc0) return 0;
    if (lead < 0xe0) return 2;
    if (lead < 0xf0) return 3;
    return lead < 0xf8 ? 4 : 0;
}

}  // namespace

std::size_t utf8_length(std::string const& text, std::size_t at) {
    static constexpr unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    auto const byte = [&](std::size_t i) -> unsigned {
        return static_cast<unsigned char>(text[at + i]);
    };
    std::size_t const length = sequence_length(byte(0));
    if (length <= 1 || at + length > text.size()) return length == 1 ? 1 : 0;
    unsigned code = byte(0) & (0x7fU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80) return 0;
        code = code << 6U | (byte(i) & 0x3fU);
    }
    bool const is_surrogate = code >= 0xd800 && code < 0xe000;
    return code < smallest[length] || code > 0x10ffff || is_surrogate ? 0 : length;
}

bool is_utf8(std::string const& text) {
    for (std::size_t at = 0; at < text.size();) {
        std::size_t const length = utf8_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

}  // namespace coffre
