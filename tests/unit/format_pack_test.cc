#include "format/pack.h"

#include <functional>

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

PackFooter decode_footer(ByteView bytes) {
    return decode_pack_footer(bytes, samples::footer_pack_size);
}

bool accepts_footer(std::function<void(PackFooter&)> const& change,
                    std::uint64_t pack_size = samples::footer_pack_size) {
    PackFooter footer = samples::pack_footer();
    change(footer);
    return format_error([&] { decode_pack_footer(encode_pack_footer(footer), pack_size); }).empty();
}

// The message with which the sample, changed, is refused; empty when it is taken.
std::string refusal(std::function<void(PackDirectory&)> const& change) {
    PackDirectory directory = samples::pack_directory();
    change(directory);
    return format_error([&] { decode_pack_directory(encode_pack_directory(directory)); });
}

// A directory of one block of one chunk, with these two sizes.
PackDirectory one_block(std::uint32_t plain_size, std::uint32_t chunk_size) {
    PackDirectory directory;
    BlockRow block;
    block.offset = pack_header_size;
    block.stored_size = 10;
    block.plain_size = plain_size;
    block.chunks = {{samples::id<ChunkId>(1), 0, chunk_size}};
    directory.blocks = {block};
    return directory;
}

void cut_directory(PackFooter& footer) {
    ++footer.directory_offset;
    --footer.directory_size;
}

void grow_directory(PackFooter& footer) {
    ++footer.directory_size;
    ++footer.table_offset;
}

void shift_directory(PackFooter& footer) {
    ++footer.directory_offset;
    ++footer.table_offset;
}

TEST(PackHeader, RoundTripsAndRefusesEveryOtherSpelling) {
    Bytes const bytes = encode_pack_header(samples::pack_header());
    EXPECT_EQ(bytes.size(), pack_header_size);
    EXPECT_EQ(decode_pack_header(bytes), samples::pack_header());
    expect_canonical(bytes, decode_pack_header, encode_pack_header);
}

TEST(PackHeader, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_pack_header(samples::pack_header())),
              "636f666672650103"
              "02"
              "00000000000000"
              "303132333435363738393a3b3c3d3e3f");
}

TEST(PackHeader, ReservedBytesMustBeZero) {
    for (std::size_t at = 9; at < 16; ++at) {
        Bytes bytes = encode_pack_header(samples::pack_header());
        bytes[at] = std::byte{1};
        EXPECT_THROW(decode_pack_header(bytes), FormatError) << at;
    }
}

TEST(PackDirectory, RoundTrips) {
    PackDirectory const directory = samples::pack_directory();
    EXPECT_EQ(decode_pack_directory(encode_pack_directory(directory)), directory);
    EXPECT_EQ(decode_pack_directory(encode_pack_directory({})), PackDirectory{});
}

TEST(PackDirectory, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_pack_directory(samples::pack_directory()), decode_pack_directory,
                     encode_pack_directory);
}

TEST(PackDirectory, ABlockOfAnUnknownKeyIsNotWritten) {
    PackDirectory directory = samples::pack_directory();
    directory.keys.pop_back();
    EXPECT_THROW(encode_pack_directory(directory), FormatError);
}

TEST(PackDirectory, AKeyThatIsWrappedTwiceIsReferredToByItsFirstPlace) {
    PackDirectory directory = one_block(10, 10);
    directory.keys = {samples::wrapped_key(1), samples::wrapped_key(1, WrapType::client)};
    directory.blocks[0].key = directory.keys[0].id;
    directory.blocks[0].chunks = {{{}, 0, 10}};
    Bytes bytes = encode_pack_directory(directory);
    EXPECT_EQ(decode_pack_directory(bytes), directory);
    bytes[bytes.size() - 36] = std::byte{2};  // a chunk of 34 bytes and their number follow
    EXPECT_EQ(format_error([&] { decode_pack_directory(bytes); }),
              "pack directory: key reference not the first");
}

TEST(PackDirectory, RefusesBlocksWithoutChunksAndEmptyChunks) {
    EXPECT_EQ(refusal([](auto& d) { d.blocks[0].chunks.clear(); }),
              "pack directory: a block without chunks");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[0].chunks[0].size = 0; }),
              "pack directory: an empty chunk");
}

TEST(PackDirectory, RefusesKeysWithoutId) {
    EXPECT_EQ(refusal([](auto& d) {
                  d.keys.push_back(d.keys[0]);
                  d.keys.back().id = {};
              }),
              "pack directory: a wrapped key without id");
}

TEST(PackDirectory, RefusesUnknownKindsCiphersWrapsAndCodecs) {
    EXPECT_NE(refusal([](auto& d) { d.kind = PackKind{3}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.kind = PackKind{0}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].kind = PackKind{3}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].cipher = Cipher::none; }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].cipher = Cipher{3}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].type = WrapType{0}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].type = WrapType{4}; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[0].codec = Codec{3}; }), "");
}

TEST(PackDirectory, RefusesWrappedKeysAboveTheLimit) {
    EXPECT_EQ(refusal([](auto& d) { d.keys[0].wrapped.resize(limits::wrapped_key_size); }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys[0].wrapped.resize(limits::wrapped_key_size + 1); }), "");
}

TEST(PackDirectory, RefusesBlocksOutOfOrder) {
    EXPECT_NE(refusal([](auto& d) { d.blocks[0].offset = pack_header_size - 1; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[1].offset -= 1; }), "") << "overlap";
    EXPECT_NE(refusal([](auto& d) { std::swap(d.blocks[0], d.blocks[1]); }), "");
}

TEST(PackDirectory, RefusesBlocksBeyondTheLargestPack) {
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].offset = limits::pack_size - 90; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].offset = limits::pack_size - 89; }), "");
}

TEST(PackDirectory, RefusesBlocksAboveTheLimits) {
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].stored_size = limits::block_stored_size; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].stored_size = limits::block_stored_size + 1; }),
              "");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].plain_size = limits::block_plain_size; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].plain_size = limits::block_plain_size + 1; }), "");
}

TEST(PackDirectory, RefusesChunksThatOverlapOrLeaveTheirBlock) {
    EXPECT_NE(refusal([](auto& d) { d.blocks[0].chunks[1].offset = 199; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[0].chunks[1].size = 51; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[0].plain_size = 259; }), "");
}

TEST(PackDirectory, RefusesChunksAboveTheLimit) {
    auto const size = static_cast<std::uint32_t>(limits::chunk_size);
    EXPECT_NO_THROW(decode_pack_directory(encode_pack_directory(one_block(size, size))));
    EXPECT_THROW(decode_pack_directory(encode_pack_directory(one_block(size + 1, size + 1))),
                 FormatError);
}

TEST(PackDirectory, RefusesDeltasWithoutBaseOrTooDeep) {
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].bases.clear(); }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].depth = 0; }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].depth = limits::delta_depth + 1; }), "");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].bases.resize(limits::delta_bases); }), "");
    EXPECT_NE(refusal([](auto& d) { d.blocks[2].bases.resize(limits::delta_bases + 1); }), "");
}

TEST(PackDirectory, RefusesMoreKeysThanTheLimit) {
    EXPECT_EQ(refusal([](auto& d) { d.keys.resize(limits::keys_per_pack, d.keys[0]); }), "");
    EXPECT_NE(refusal([](auto& d) { d.keys.resize(limits::keys_per_pack + 1, d.keys[0]); }), "");
}

TEST(PackFooter, RoundTripsAndRefusesEveryOtherSpelling) {
    Bytes const bytes = encode_pack_footer(samples::pack_footer());
    EXPECT_EQ(bytes.size(), pack_footer_size);
    EXPECT_EQ(decode_footer(bytes), samples::pack_footer());
    expect_canonical(bytes, decode_footer, encode_pack_footer);
}

TEST(PackFooter, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_pack_footer(samples::pack_footer())),
              "0000010000000000"
              "e8030000"
              "e803010000000000"
              "02000000"
              "efcdab8967452301"
              "636f666672652e0a");
}

TEST(PackFooter, PartsMustFillThePackExactly) {
    EXPECT_TRUE(accepts_footer([](auto&) {}));
    EXPECT_FALSE(accepts_footer([](auto&) {}, samples::footer_pack_size + 1));
    EXPECT_FALSE(accepts_footer([](auto&) {}, samples::footer_pack_size - 1));
    EXPECT_FALSE(accepts_footer([](auto& f) { ++f.directory_size; }));
    EXPECT_FALSE(accepts_footer([](auto& f) { ++f.table_entries; }));
    EXPECT_FALSE(accepts_footer([](auto& f) { --f.table_offset; }));
}

TEST(PackFooter, PlacesThatOverflowAreRefused) {
    EXPECT_FALSE(accepts_footer([](auto& f) {
        f.directory_offset = UINT64_MAX - 999;
        f.table_offset = 0;
        f.table_entries = 0;
    }));
    EXPECT_FALSE(accepts_footer([](auto& f) { f.table_offset = UINT64_MAX; }));
}

TEST(PackFooter, TheDirectoryCannotLieInTheHeader) {
    EXPECT_FALSE(accepts_footer([](auto& f) {
        f.directory_offset = pack_header_size - 1;
        f.directory_size = static_cast<std::uint32_t>(f.table_offset - f.directory_offset);
    }));
}

TEST(PackFooter, PacksAboveTheLimitAreRefused) {
    PackFooter footer;
    footer.directory_offset = pack_header_size;
    footer.table_offset = limits::pack_size;
    footer.directory_size = static_cast<std::uint32_t>(limits::pack_size - pack_header_size);
    footer.table_entries = static_cast<std::uint32_t>(limits::pack_size / checksum_unit);
    std::uint64_t const size = limits::pack_size + 8 * footer.table_entries + pack_footer_size;
    EXPECT_THROW(decode_pack_footer(encode_pack_footer(footer), size), FormatError);
}

TEST(PackHeader, KeepsEachField) {
    expect_keeps_each(
        samples::pack_header(),
        {[](PackHeader& h) { h.kind = PackKind::data; }, [](PackHeader& h) { h.session = {}; }},
        decode_pack_header, encode_pack_header);
}

TEST(PackDirectory, KeepsEachFieldOfKeys) {
    expect_keeps_each(samples::pack_directory(),
                      {[](PackDirectory& d) { d.kind = PackKind::meta; },
                       [](PackDirectory& d) { d.blocks[0].key = d.keys[0].id = {{std::byte{9}}}; },
                       [](PackDirectory& d) { d.keys[0].kind = PackKind::meta; },
                       [](PackDirectory& d) { d.keys[0].cipher = Cipher::aes_256_gcm; },
                       [](PackDirectory& d) { d.keys[0].epoch = 3; },
                       [](PackDirectory& d) { d.keys[0].type = WrapType::sealed_box; },
                       [](PackDirectory& d) { d.keys[0].wrapped.clear(); }},
                      decode_pack_directory, encode_pack_directory);
}

TEST(PackDirectory, KeepsEachFieldOfBlocks) {
    expect_keeps_each(samples::pack_directory(),
                      {[](PackDirectory& d) { d.blocks.pop_back(); },
                       [](PackDirectory& d) { d.blocks[2].offset = 2000; },
                       [](PackDirectory& d) { d.blocks[2].stored_size = 0; },
                       [](PackDirectory& d) { d.blocks[2].plain_size = 80'000; },
                       [](PackDirectory& d) { d.blocks[0].codec = Codec::zstd; },
                       [](PackDirectory& d) { d.blocks[2].key = {}; },
                       [](PackDirectory& d) { d.blocks[2].depth = 1; },
                       [](PackDirectory& d) { d.blocks[2].bases.pop_back(); }},
                      decode_pack_directory, encode_pack_directory);
}

TEST(PackDirectory, KeepsEachFieldOfChunks) {
    expect_keeps_each(samples::pack_directory(),
                      {[](PackDirectory& d) { d.blocks[0].chunks.pop_back(); },
                       [](PackDirectory& d) { d.blocks[0].chunks[1].id = {}; },
                       [](PackDirectory& d) { d.blocks[0].chunks[1].offset = 200; },
                       [](PackDirectory& d) { d.blocks[0].chunks[1].size = 1; }},
                      decode_pack_directory, encode_pack_directory);
}

TEST(PackDirectory, RefusalsNameWhatWasFound) {
    EXPECT_EQ(refusal([](auto& d) { d.kind = PackKind{3}; }),
              "pack directory: unknown pack kind 3");
    EXPECT_EQ(refusal([](auto& d) { d.keys[0].cipher = Cipher{3}; }),
              "pack directory: unknown cipher 3");
    EXPECT_EQ(refusal([](auto& d) { d.keys[0].type = WrapType{4}; }),
              "pack directory: unknown wrap type 4");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[0].codec = Codec{3}; }),
              "pack directory: unknown codec 3");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].depth = 9; }), "pack directory: delta depth 9");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[2].bases.clear(); }),
              "pack directory: a delta without base");
    EXPECT_EQ(refusal([](auto& d) { d.blocks[0].plain_size = 259; }),
              "pack directory: a chunk ends beyond its block");
}

TEST(PackFooter, KeepsEachField) {
    expect_keeps_each(samples::pack_footer(),
                      {cut_directory, [](PackFooter& f) { f.checksum = 1; }}, decode_footer,
                      encode_pack_footer);
}

TEST(PackFooter, KeepsEachFieldOfALargerPack) {
    auto const decode_larger = [](ByteView bytes) {
        return decode_pack_footer(bytes, samples::footer_pack_size + 1);
    };
    expect_keeps_each(samples::pack_footer(), {grow_directory, shift_directory}, decode_larger,
                      encode_pack_footer);
}

TEST(PackFooter, RefusalsSayWhatIsWrong) {
    Bytes bytes = encode_pack_footer(samples::pack_footer());
    EXPECT_EQ(format_error([&] { decode_pack_footer(bytes, 5); }),
              "pack footer: places do not fit a pack of 5 bytes");
    bytes.back() = std::byte{'x'};
    EXPECT_EQ(format_error([&] { decode_footer(bytes); }), "pack footer: the pack is cut off");
}

}  // namespace
}  // namespace coffre
