// Stores single chunks: for repairs, where speed does not matter.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/block_builder.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/packer.h"
#include "engine/repository/repository.h"

namespace coffre {

// Used by one thread.
class ChunkStore {
public:
    // `repository` outlives this.
    ChunkStore(Repository& repository, SessionId const& session);
    ChunkStore(ChunkStore const&) = delete;
    ChunkStore& operator=(ChunkStore const&) = delete;
    ~ChunkStore() = default;

    // Not known before finish().
    void add(PackKind kind, ChunkId const& id, ByteView bytes);
    // Everything added is durable, in bundles, and in the index when this returns.
    void finish();

private:
    void encode(Block block);
    void put(OpenPack pack);
    void write_bundle();

    Repository& repository_;
    SessionKeys keys_;
    Packer packer_;
    std::map<PackKind, BlockBuilder> blocks_;
    OpenBundle bundle_;
};

}  // namespace coffre
