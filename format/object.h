// What every object starts with, and what its seal is bound to.
//
// docs/format.md, section "Objects".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/wire.h"

namespace coffre {

enum class ObjectKind : std::uint8_t {
    config = 1,
    key_slot = 2,
    pack = 3,
    bundle = 4,
    session = 5,
    snapshot = 6,
    forget = 7,
    gc_log = 8,
    parity = 9,
};

inline constexpr std::string_view object_magic = "coffre";
inline constexpr std::uint8_t format_version = 1;
inline constexpr std::size_t object_header_size = 8;

// magic "coffre" | version u8 | kind u8
void write_object_header(Writer& out, ObjectKind kind);

// Throws FormatError when the magic or the kind differ, UnsupportedFormat for a later version.
void read_object_header(Reader& in, ObjectKind expected);

// The data that the seal of object `name` authenticates beside its content:
// header | repository id | sized name | `clear`, the object's own unsealed bytes.
Bytes authenticated_data(ObjectKind kind, RepositoryId const& repository, std::string_view name,
                         ByteView clear);

// Lists of texts (paths, tags).
void write_texts(Writer& out, std::vector<std::string> const& texts);
std::vector<std::string> read_texts(Reader& in, std::string_view name);

// u32 content size | content | zeros up to the Padme length, so that the length tells little.
// Source: Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", PETS 2019.
std::uint64_t padme(std::uint64_t size);
Bytes pad(ByteView content);
// A view into `padded`. Throws FormatError when the padding is not exactly that of `pad`.
ByteView unpad(ByteView padded, std::string_view what);

}  // namespace coffre
