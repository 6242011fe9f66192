// The sample in memory, cut, identified and compressed as a snapshot would.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/chunk/chunker.h"
#include "engine/crypto/block_seal.h"
#include "engine/measure/survey.h"
#include "engine/repository/block_builder.h"

namespace coffre {

// Keys that are drawn for this measurement and forgotten with it.
struct BenchKeys {
    Chunker chunker{SecretKey::random(), {}};
    ChunkNamer namer{SecretKey::random()};
    SessionKey session{random_id<KeyId>(), PackKind::data, fastest_cipher(), SecretKey::random()};
    RepositoryId repository = random_id<RepositoryId>();
};

// Bytes that lie in one file.
struct SamplePiece {
    Bytes bytes;
    std::vector<ByteView> chunks;  // of `bytes`
    std::vector<ChunkId> ids;      // of the chunks
};

// Into `bytes`, which has its size: as far as it can be read. Empty, and told to `progress`, when
// it cannot.
void read_piece(Piece const& piece, Bytes& bytes, Progress& progress);

void cut(SamplePiece& piece, Chunker const& chunker);
void identify(SamplePiece& piece, ChunkNamer const& namer);

// Gathers the chunks that differ, in blocks as a pack would have them.
class UniqueBlocks {
public:
    UniqueBlocks() = default;
    UniqueBlocks(UniqueBlocks const&) = delete;
    UniqueBlocks& operator=(UniqueBlocks const&) = delete;
    ~UniqueBlocks() = default;
    // Copies what is new of the piece.
    void add(SamplePiece const& piece);
    std::vector<Block> take();

private:
    std::set<ChunkId> known_;
    std::vector<Block> blocks_;
    BlockBuilder builder_{PackKind::data,
                          [this](Block block) { blocks_.push_back(std::move(block)); }};
};

}  // namespace coffre
