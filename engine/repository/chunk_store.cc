#include "engine/repository/chunk_store.h"

namespace coffre {

namespace {

constexpr int chunk_level = 1;

}  // namespace

ChunkStore::ChunkStore(Repository& repository, SessionId const& session)
    : repository_(repository),
      keys_(repository.keys()),
      packer_(session, [this](OpenPack pack) { put(std::move(pack)); }) {
    for (auto const kind : {PackKind::data, PackKind::meta}) {
        blocks_.emplace(kind,
                        BlockBuilder(kind, [this](Block block) { encode(std::move(block)); }));
    }
}

void ChunkStore::add(PackKind kind, ChunkId const& id, ByteView bytes) {
    blocks_.at(kind).add(id, bytes);
}

void ChunkStore::encode(Block block) {
    packer_.seal(compress_block(std::move(block), chunk_level), keys_, repository_.id());
}

void ChunkStore::put(OpenPack pack) {
    bundle_.add(put_pack(repository_.store(), repository_.keys(), std::move(pack)));
    if (bundle_.is_full(packs_per_bundle)) write_bundle();
}

void ChunkStore::write_bundle() {
    if (bundle_.empty()) return;
    Bundle const rows = bundle_.take();
    BundleId const id = put_bundle(repository_.store(), repository_.keys(), rows);
    repository_.index()->add(id, rows);
}

void ChunkStore::finish() {
    for (auto& [kind, blocks] : blocks_) blocks.flush();
    packer_.flush();
    write_bundle();
}

}  // namespace coffre
