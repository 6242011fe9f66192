#include "engine/repository/block_codec.h"

#include "format/mutant.h"

namespace coffre {

EncodedBlock compress_block(Block block, int level) {
    thread_local Compressor compressor;
    EncodedBlock encoded;
    encoded.kind = block.kind;
    encoded.row.plain_size = static_cast<std::uint32_t>(block.plain.size());
    encoded.row.chunks = std::move(block.chunks);
    auto frame = level == 0 || block.looks_random
                     ? std::nullopt
                     : compressor.compress_if_it_pays(block.plain, level);
    encoded.row.codec = frame ? Codec::zstd : Codec::raw;
    encoded.content = frame ? std::move(*frame) : std::move(block.plain);
    return encoded;
}

SealedBlock encode_block(Block block, SessionKey const& key, RepositoryId const& repository,
                         int level) {
    EncodedBlock encoded = compress_block(std::move(block), level);
    SealedBlock sealed;
    sealed.kind = encoded.kind;
    sealed.row = std::move(encoded.row);
    sealed.row.key = key.id;
    sealed.stored = seal_block(key, repository, encoded.content);
    return sealed;
}

Bytes decode_block(ByteView stored, BlockRow const& row, SessionKey const& key,
                   RepositoryId const& repository, ByteView prefix) {
    thread_local Decompressor decompressor;
    Bytes content = unseal_block(key, repository, stored);
    if (row.codec == Codec::raw) {
        if (content.size() != row.plain_size) throw FormatError("block has another size");
        return content;
    }
    return decompressor.decompress(content, row.plain_size, prefix);
}

void verify_chunks(ByteView plain, BlockRow const& row, PackKind kind, ChunkNamer const& namer) {
    for (auto const& chunk : row.chunks) {
        bool const is_it = namer.name(kind, plain.subspan(chunk.offset, chunk.size)) == chunk.id;
        if (!is_it && !mutant("any-chunk")) {
            throw FormatError("chunk " + chunk.id.hex() + " has other bytes");
        }
    }
}

}  // namespace coffre
