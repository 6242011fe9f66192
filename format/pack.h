// The objects `packs/<xx>/<id>`: header | blocks | padding | directory | checksum table | footer.
//
// docs/format.md, section "packs".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/object.h"

namespace coffre {

enum class PackKind : std::uint8_t { data = 1, meta = 2 };
enum class Codec : std::uint8_t { raw = 0, zstd = 1, zstd_delta = 2 };
enum class Cipher : std::uint8_t { none = 0, aes_256_gcm = 1, chacha20_poly1305 = 2 };
enum class WrapType : std::uint8_t { master = 1, sealed_box = 2, client = 3 };

struct PackHeader {
    PackKind kind = PackKind::data;
    SessionId session;  // of the writer; zero for a collector's pack

    bool operator==(PackHeader const&) const = default;
};

inline constexpr std::size_t pack_header_size = 32;
inline constexpr std::size_t pack_footer_size = 40;
inline constexpr std::size_t checksum_unit = 64 * std::size_t{1024};

// A session key as it travels with the blocks that need it.
struct WrappedKey {
    KeyId id;
    PackKind kind = PackKind::data;
    Cipher cipher = Cipher::aes_256_gcm;
    std::uint32_t epoch = 1;  // of the master secret that unwraps it
    WrapType type = WrapType::master;
    Bytes wrapped;

    bool operator==(WrappedKey const&) const = default;
};

struct ChunkRow {
    ChunkId id;
    std::uint32_t offset = 0;  // in the block's plaintext
    std::uint32_t size = 0;

    bool operator==(ChunkRow const&) const = default;
};

struct BlockRow {
    std::uint64_t offset = 0;  // in the pack
    std::uint32_t stored_size = 0;
    std::uint32_t plain_size = 0;
    Codec codec = Codec::raw;
    KeyId key;                   // zero: not encrypted
    std::uint8_t depth = 0;      // zstd_delta: 1 + the deepest base's
    std::vector<ChunkId> bases;  // zstd_delta: their plaintexts, in order, are the prefix
    std::vector<ChunkRow> chunks;

    bool operator==(BlockRow const&) const = default;
};

struct PackDirectory {
    PackKind kind = PackKind::data;
    std::vector<WrappedKey> keys;
    std::vector<BlockRow> blocks;

    bool operator==(PackDirectory const&) const = default;
};

struct PackFooter {
    std::uint64_t directory_offset = 0;
    std::uint32_t directory_size = 0;  // sealed
    std::uint64_t table_offset = 0;    // XXH3-64 of each 64 KiB before it
    std::uint32_t table_entries = 0;
    std::uint64_t checksum = 0;  // XXH3-64 of the table and the footer's fields before it

    bool operator==(PackFooter const&) const = default;
};

Bytes encode_pack_header(PackHeader const& header);
PackHeader decode_pack_header(ByteView bytes);

Bytes encode_pack_directory(PackDirectory const& directory);
// Blocks ascend without overlap, chunks too and lie inside their block.
PackDirectory decode_pack_directory(ByteView bytes);

// The fields that the checksum covers.
Bytes encode_footer_fields(PackFooter const& footer);
Bytes encode_pack_footer(PackFooter const& footer);
// `pack_size` is that of the whole file: the parts must fill it exactly.
PackFooter decode_pack_footer(ByteView bytes, std::uint64_t pack_size);

}  // namespace coffre
