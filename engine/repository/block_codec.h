// From plaintext chunks to a stored block, and back. Pure functions: any thread, any order.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/codec/zstd.h"
#include "engine/crypto/hash.h"
#include "engine/repository/pack_builder.h"

namespace coffre {

// New chunks of one kind, about 1 MiB.
struct Block {
    PackKind kind = PackKind::data;
    bool looks_random = false;  // then it is not compressed
    Bytes plain;
    std::vector<ChunkRow> chunks;
};

// What is sealed of a block.
struct EncodedBlock {
    PackKind kind = PackKind::data;
    BlockRow row;  // its key and stored size are set when it is sealed, its offset in a pack
    Bytes content;
};

// level 0: never compress.
EncodedBlock compress_block(Block block, int level);

// The same, sealed.
SealedBlock encode_block(Block block, SessionKey const& key, RepositoryId const& repository,
                         int level);

// The block's plaintext: unsealed, then decompressed. `prefix`: the plaintexts of a delta's bases,
// one after the other. Throws FormatError.
Bytes decode_block(ByteView stored, BlockRow const& row, SessionKey const& key,
                   RepositoryId const& repository, ByteView prefix);

// Throws FormatError naming the first chunk whose bytes are not those of its id.
void verify_chunks(ByteView plain, BlockRow const& row, PackKind kind, ChunkNamer const& namer);

}  // namespace coffre
