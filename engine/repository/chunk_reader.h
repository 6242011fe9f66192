// Reads chunks by id: finds the block, fetches, unseals, decompresses, compares the id.
//
// With two copies of a chunk, a damaged one does no harm.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/block_codec.h"
#include "engine/repository/repository.h"
#include "engine/util/lru_cache.h"
#include "format/limits.h"

namespace coffre {

// What a reader that walks trees keeps of decoded blocks, in bytes.
inline constexpr std::size_t tree_cache = 32 * limits::mib;

// A block to fetch, with all that decoding it needs.
struct BlockSource {
    PackId pack;
    std::string pack_name;
    PackKind kind = PackKind::data;
    std::shared_ptr<BlockRow const> row;  // from source(): holds all of its pack's directory
    std::shared_ptr<SessionKey const> key;
};

// The chunk's row; null when the block has none. Looks at `hint` first, and sets it to the row that
// follows: mostly chunks are asked for in their order.
ChunkRow const* find_row(BlockRow const& block, ChunkId const& id, std::size_t& hint);

// One thread at a time. Holds a view of the index: short-lived, or refreshed.
class ChunkReader {
public:
    // Keeps up to `cache_bytes` of decoded blocks.
    ChunkReader(Repository& repository, std::size_t cache_bytes);

    // The chunk's plaintext. Throws RepositoryError{corrupt} when no copy of it can be read.
    Bytes read(PackKind kind, ChunkId const& id);

    // Whether this copy of the chunk can be read. A pack where it cannot is noted as damaged.
    bool is_readable(ChunkPlace const& place, ChunkId const& id);

    // Where the index says the chunk is. An index that does not know it, or is damaged, is built
    // again first, once. Throws RepositoryError{corrupt} when there is no place.
    std::vector<ChunkPlace> locate(ChunkId const& id);
    // Goes on with an index that was built again; false when this one was.
    bool recover();
    // Goes on with the index of now, since a collection may have moved what this one knows. False
    // when nothing is new.
    bool renew();
    BlockSource source(ChunkPlace const& place);
    // Decodes a fetched block, bases of a delta included. Throws RepositoryError{corrupt}.
    Bytes decode(BlockSource const& source, ByteView stored);
    // The plaintexts that a delta rests on. Throws RepositoryError{corrupt}.
    Bytes delta_prefix(PackKind kind, BlockRow const& row);

    // Counts what the cursors of a walk hold. Throws RepositoryError{corrupt} when that is more
    // than any tree of a file system takes.
    void hold(std::uint64_t bytes);
    void let_go(std::uint64_t bytes) { held_ -= bytes; }

    Index::View& view() { return *view_; }
    Repository& repository() { return repository_; }

private:
    struct KnownPack {
        PackId id;
        PackDirectory directory;
    };
    using BlockKey = std::pair<PackNumber, std::uint32_t>;
    struct DamagedBlock {
        BlockKey key;
        std::string what;
    };
    void take_new_view();
    std::shared_ptr<KnownPack const> pack(PackNumber number);
    Bytes fetch(BlockSource const& source) const;
    Bytes read_at(ChunkPlace const& place, BlockSource const& from, ChunkId const& id);
    Bytes read_at_depth(PackKind kind, ChunkId const& id, unsigned depth_limit);
    std::shared_ptr<Bytes const> block(ChunkPlace const& place, BlockSource const& source);
    Bytes decode_on(BlockSource const& source, ByteView stored, ByteView prefix) const;
    Bytes decode_noting(BlockKey const& key, BlockSource const& source, ByteView stored,
                        ByteView prefix);
    Bytes read_bases(PackKind kind, BlockRow const& row);

    Repository& repository_;
    std::uint64_t index_generation_;
    std::optional<Index::View> view_;
    LruCache<PackNumber, KnownPack> packs_;
    LruCache<BlockKey, Bytes> blocks_;
    std::optional<DamagedBlock> damaged_;  // the last one: who reads its chunks asks for each
    std::size_t next_row_ = 0;             // for find_row(), of whichever block
    std::uint64_t held_ = 0;
    std::uint64_t decoded_ = 0;     // blocks, for the chunk being read
    std::uint64_t base_bytes_ = 0;  // plaintext of deltas' bases, for it
};

}  // namespace coffre
