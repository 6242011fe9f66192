#include "format/pack.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::string_view footer_magic = "coffre.\n";

PackKind read_pack_kind(Reader& in) {
    auto const kind = in.u8();
    if (kind < 1 || kind > 2) in.fail("unknown pack kind " + std::to_string(kind));
    return static_cast<PackKind>(kind);
}

void write_wrapped_key(Writer& out, WrappedKey const& key) {
    out.id(key.id);
    out.u8(static_cast<std::uint8_t>(key.kind));
    out.u8(static_cast<std::uint8_t>(key.cipher));
    out.u32(key.epoch);
    out.u8(static_cast<std::uint8_t>(key.type));
    out.sized(key.wrapped);
}

WrappedKey read_wrapped_key(Reader& in) {
    WrappedKey key;
    key.id = in.id<KeyId>();
    if (key.id.is_zero()) in.fail("a wrapped key without id");
    key.kind = read_pack_kind(in);
    auto const cipher = in.u8();
    if (cipher < 1 || cipher > 2) in.fail("unknown cipher " + std::to_string(cipher));
    key.cipher = static_cast<Cipher>(cipher);
    key.epoch = in.u32();
    auto const type = in.u8();
    if (type < 1 || type > 3) in.fail("unknown wrap type " + std::to_string(type));
    key.type = static_cast<WrapType>(type);
    ByteView const wrapped = in.sized(limits::wrapped_key_size, "wrapped key");
    key.wrapped.assign(wrapped.begin(), wrapped.end());
    return key;
}

// 0 for a bare block, else 1 + the place of its key.
std::size_t key_reference(PackDirectory const& directory, KeyId const& key) {
    if (key.is_zero()) return 0;
    auto const found = std::find_if(directory.keys.begin(), directory.keys.end(),
                                    [&](WrappedKey const& k) { return k.id == key; });
    if (found == directory.keys.end())
        throw FormatError("pack directory: a block's key is missing");
    return 1 + static_cast<std::size_t>(found - directory.keys.begin());
}

void write_block(Writer& out, PackDirectory const& directory, BlockRow const& block,
                 std::uint64_t gap) {
    out.varint(gap);
    out.varint(block.stored_size);
    out.varint(block.plain_size);
    out.u8(static_cast<std::uint8_t>(block.codec));
    out.varint(key_reference(directory, block.key));
    if (block.codec == Codec::zstd_delta) {
        out.u8(block.depth);
        out.varint(block.bases.size());
        for (auto const& base : block.bases) out.id(base);
    }
    out.varint(block.chunks.size());
    std::uint64_t end = 0;
    for (auto const& chunk : block.chunks) {
        out.varint(chunk.offset - end);
        out.varint(chunk.size);
        out.id(chunk.id);
        end = chunk.offset + chunk.size;
    }
}

void read_bases(Reader& in, BlockRow& block) {
    block.depth = in.u8();
    if (block.depth < 1 || block.depth > limits::delta_depth) {
        in.fail("delta depth " + std::to_string(block.depth));
    }
    auto const count = in.count(limits::delta_bases, "number of delta bases");
    if (count == 0) in.fail("a delta without base");
    for (std::size_t i = 0; i < count; ++i) block.bases.push_back(in.id<ChunkId>());
}

void read_chunks(Reader& in, BlockRow& block) {
    std::uint64_t end = 0;
    auto const count = in.count(limits::chunks_per_block, "number of chunks");
    if (count == 0) in.fail("a block without chunks");
    block.chunks.reserve(std::min<std::size_t>(count, in.remaining() / 34));
    for (std::size_t i = 0; i < count; ++i) {
        ChunkRow chunk;
        std::uint64_t const offset = end + in.bounded(limits::block_plain_size, "chunk offset");
        std::uint64_t const size = in.bounded(limits::chunk_size, "chunk size");
        if (size == 0) in.fail("an empty chunk");
        end = offset + size;
        if (end > block.plain_size) in.fail("a chunk ends beyond its block");
        chunk.offset = static_cast<std::uint32_t>(offset);
        chunk.size = static_cast<std::uint32_t>(size);
        chunk.id = in.id<ChunkId>();
        block.chunks.push_back(chunk);
    }
}

BlockRow read_block(Reader& in, PackDirectory const& directory, std::uint64_t end) {
    BlockRow block;
    block.offset = end + in.bounded(limits::pack_size, "block offset");
    block.stored_size =
        static_cast<std::uint32_t>(in.bounded(limits::block_stored_size, "stored size"));
    block.plain_size =
        static_cast<std::uint32_t>(in.bounded(limits::block_plain_size, "plain size"));
    auto const codec = in.u8();
    if (codec > 2) in.fail("unknown codec " + std::to_string(codec));
    block.codec = static_cast<Codec>(codec);
    auto const key = in.bounded(directory.keys.size(), "key reference");
    if (key > 0) block.key = directory.keys[key - 1].id;
    if (key > 0 && key_reference(directory, block.key) != key)
        in.fail("key reference not the first");
    if (block.codec == Codec::zstd_delta) read_bases(in, block);
    read_chunks(in, block);
    return block;
}

}  // namespace

Bytes encode_pack_header(PackHeader const& header) {
    Writer out;
    write_object_header(out, ObjectKind::pack);
    out.u8(static_cast<std::uint8_t>(header.kind));
    out.raw(Bytes(7));
    out.id(header.session);
    return out.take();
}

PackHeader decode_pack_header(ByteView bytes) {
    Reader in(bytes, "pack header");
    read_object_header(in, ObjectKind::pack);
    PackHeader header;
    header.kind = read_pack_kind(in);
    ByteView const reserved = in.raw(7);
    if (std::any_of(reserved.begin(), reserved.end(),
                    [](std::byte b) { return b != std::byte{0}; })) {
        in.fail("reserved bytes are set");
    }
    header.session = in.id<SessionId>();
    in.expect_end();
    return header;
}

Bytes encode_pack_directory(PackDirectory const& directory) {
    Writer out;
    out.u8(static_cast<std::uint8_t>(directory.kind));
    out.varint(directory.keys.size());
    for (auto const& key : directory.keys) write_wrapped_key(out, key);
    out.varint(directory.blocks.size());
    std::uint64_t end = pack_header_size;
    for (auto const& block : directory.blocks) {
        write_block(out, directory, block, block.offset - end);
        end = block.offset + block.stored_size;
    }
    return out.take();
}

PackDirectory decode_pack_directory(ByteView bytes) {
    Reader in(bytes, "pack directory");
    PackDirectory directory;
    directory.kind = read_pack_kind(in);
    for (auto n = in.count(limits::keys_per_pack, "number of keys"); n > 0; --n) {
        directory.keys.push_back(read_wrapped_key(in));
    }
    std::uint64_t end = pack_header_size;
    for (auto n = in.count(limits::blocks_per_pack, "number of blocks"); n > 0; --n) {
        directory.blocks.push_back(read_block(in, directory, end));
        end = directory.blocks.back().offset + directory.blocks.back().stored_size;
        if (end > limits::pack_size) in.fail("a block ends beyond the largest pack");
    }
    in.expect_end();
    return directory;
}

Bytes encode_footer_fields(PackFooter const& footer) {
    Writer out;
    out.u64(footer.directory_offset);
    out.u32(footer.directory_size);
    out.u64(footer.table_offset);
    out.u32(footer.table_entries);
    return out.take();
}

Bytes encode_pack_footer(PackFooter const& footer) {
    Writer out;
    out.raw(encode_footer_fields(footer));
    out.u64(footer.checksum);
    out.raw(as_bytes(footer_magic));
    return out.take();
}

PackFooter decode_pack_footer(ByteView bytes, std::uint64_t pack_size) {
    Reader in(bytes, "pack footer");
    PackFooter footer;
    footer.directory_offset = in.u64();
    footer.directory_size = in.u32();
    footer.table_offset = in.u64();
    footer.table_entries = in.u32();
    footer.checksum = in.u64();
    if (to_text(in.raw(footer_magic.size())) != footer_magic) in.fail("the pack is cut off");
    in.expect_end();
    std::uint64_t const units = (footer.table_offset + checksum_unit - 1) / checksum_unit;
    bool const fits = pack_size <= limits::pack_size &&
                      footer.directory_offset >= pack_header_size &&
                      footer.directory_offset <= pack_size && footer.table_offset <= pack_size &&
                      footer.directory_offset + footer.directory_size == footer.table_offset &&
                      footer.table_entries == units &&
                      footer.table_offset + 8 * units + pack_footer_size == pack_size;
    if (!fits) in.fail("places do not fit a pack of " + std::to_string(pack_size) + " bytes");
    return footer;
}

}  // namespace coffre
