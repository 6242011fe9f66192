#include "engine/repository/chunk_store.h"

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t pack_target = 16 * limits::mib;
constexpr std::size_t block_target = limits::mib;
constexpr std::size_t packs_per_bundle = 16;
constexpr int chunk_level = 1;

}  // namespace

ChunkStore::ChunkStore(Repository& repository, SessionId const& session)
    : repository_(repository),
      keys_(repository.keys()),
      packer_(session, keys_, pack_target, [this](OpenPack pack) { put(std::move(pack)); }) {}

void ChunkStore::add(PackKind kind, ChunkId const& id, ByteView bytes) {
    Block& block = blocks_[kind];
    block.kind = kind;
    block.chunks.push_back({id, static_cast<std::uint32_t>(block.plain.size()),
                            static_cast<std::uint32_t>(bytes.size())});
    append(block.plain, bytes);
    if (block.plain.size() >= block_target) flush(kind);
}

void ChunkStore::flush(PackKind kind) {
    Block block = std::move(blocks_.extract(kind).mapped());
    packer_.add(encode_block(std::move(block), keys_.of(kind), repository_.id(), chunk_level));
}

void ChunkStore::put(OpenPack pack) {
    bundle_.add(put_pack(repository_.store(), repository_.keys(), std::move(pack)));
    if (bundle_.is_full(packs_per_bundle)) write_bundle();
}

void ChunkStore::write_bundle() {
    if (bundle_.empty()) return;
    Bundle const rows = bundle_.take();
    BundleId const id = put_bundle(repository_.store(), repository_.keys(), rows);
    repository_.index().add(id, rows);
}

void ChunkStore::finish() {
    while (!blocks_.empty()) flush(blocks_.begin()->first);
    packer_.flush();
    write_bundle();
}

}  // namespace coffre
