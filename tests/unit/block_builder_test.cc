// Which chunks go to zstd: looks_random(), and the blocks that come of it.
#include "engine/repository/block_builder.h"

#include <gtest/gtest.h>
#include <zstd.h>

#include <random>
#include <string>

#include "engine/codec/coincidence.h"
#include "format/limits.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

constexpr std::size_t chunk_size = 64 * std::size_t{1024};

Bytes random_chunk(std::size_t size, std::uint64_t seed) {
    std::mt19937_64 random(seed);
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

Bytes text(std::size_t size) {
    std::string rows;
    for (std::size_t i = 0; rows.size() < size; ++i) rows += "row " + std::to_string(i * i) + "\n";
    return samples::bytes(rows.substr(0, size));
}

ChunkId numbered(std::uint8_t number) {
    return samples::id<ChunkId>(number);
}

TEST(LooksRandom, RandomBytesOfAnySizeDo) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        for (std::size_t const size : {300U, 1024U, 1025U, 70'000U}) {
            EXPECT_TRUE(looks_random(random_chunk(size, seed))) << size << ", seed " << seed;
        }
    }
}

TEST(LooksRandom, TextDoesNot) {
    for (std::size_t const size : {64U, 1024U, 1025U, 70'000U}) {
        EXPECT_FALSE(looks_random(text(size))) << size;
    }
}

TEST(LooksRandom, BytesOfFewValuesDoNot) {
    Bytes base64 = random_chunk(chunk_size, 5);
    for (auto& byte : base64) byte &= std::byte{63};
    EXPECT_FALSE(looks_random(base64));
    EXPECT_FALSE(looks_random(Bytes(chunk_size)));
}

// Samples of both come from all over.
TEST(LooksRandom, HalfTextDoesNot) {
    Bytes bytes = random_chunk(chunk_size, 6);
    Bytes const half = text(chunk_size / 2);
    append(bytes, half);
    EXPECT_FALSE(looks_random(bytes));
    Bytes other = half;
    append(other, random_chunk(chunk_size / 2, 7));
    EXPECT_FALSE(looks_random(other));
}

TEST(LooksRandom, WhatIsCompressedDoes) {
    Bytes const plain = text(4 * limits::mib);
    Bytes frame(::ZSTD_compressBound(plain.size()));
    frame.resize(::ZSTD_compress(frame.data(), frame.size(), plain.data(), plain.size(), 3));
    EXPECT_TRUE(looks_random(frame));
}

TEST(LooksRandom, AFewBytesDoNot) {
    EXPECT_FALSE(looks_random({}));
    EXPECT_FALSE(looks_random(random_chunk(1, 8)));
    EXPECT_FALSE(looks_random(random_chunk(63, 8)));
}

class Blocks : public testing::Test {
protected:
    std::vector<Block> blocks_;
    BlockBuilder builder_{PackKind::data,
                          [this](Block block) { blocks_.push_back(std::move(block)); }};
};

TEST_F(Blocks, ChunksThatLookRandomAreApart) {
    Bytes const random = random_chunk(chunk_size, 1);
    Bytes const more = random_chunk(1000, 2);
    builder_.add(numbered(1), text(1000));
    builder_.add(numbered(2), random);
    builder_.add(numbered(3), text(500));
    builder_.add(numbered(4), more);
    EXPECT_TRUE(blocks_.empty());
    builder_.flush();
    ASSERT_EQ(blocks_.size(), 2U);
    EXPECT_FALSE(blocks_[0].looks_random);
    EXPECT_EQ(blocks_[0].chunks,
              (std::vector<ChunkRow>{{numbered(1), 0, 1000}, {numbered(3), 1000, 500}}));
    EXPECT_TRUE(blocks_[1].looks_random);
    EXPECT_EQ(blocks_[1].chunks, (std::vector<ChunkRow>{{numbered(2), 0, chunk_size},
                                                        {numbered(4), chunk_size, 1000}}));
    Bytes both = random;
    append(both, more);
    EXPECT_EQ(blocks_[1].plain, both);
    for (auto const& block : blocks_) EXPECT_EQ(block.kind, PackKind::data);
}

// What trees look like rests on names and times: the same tree takes the same blocks.
TEST(MetaBlocks, HoldAllChunks) {
    std::vector<Block> blocks;
    BlockBuilder builder(PackKind::meta, [&](Block block) { blocks.push_back(std::move(block)); });
    builder.add(numbered(1), text(1000));
    builder.add(numbered(2), random_chunk(1000, 1));
    builder.flush();
    ASSERT_EQ(blocks.size(), 1U);
    EXPECT_EQ(blocks[0].chunks.size(), 2U);
    EXPECT_FALSE(blocks[0].looks_random);
}

// A folder of a million files of some bytes each.
TEST_F(Blocks, HoldNoMoreChunksThanTheFormatAllows) {
    Bytes const tiny = text(3);
    for (std::size_t i = 0; i < 2 * limits::chunks_per_block; ++i) builder_.add(numbered(1), tiny);
    builder_.flush();
    std::size_t chunks = 0;
    for (auto const& block : blocks_) {
        EXPECT_LE(block.chunks.size(), limits::chunks_per_block);
        chunks += block.chunks.size();
    }
    EXPECT_EQ(chunks, 2 * limits::chunks_per_block);
}

TEST_F(Blocks, AFullOneIsHandedOnAtOnce) {
    Bytes const chunk = text(chunk_size);
    for (std::uint8_t i = 0; i < 15; ++i) builder_.add(numbered(i), chunk);
    EXPECT_TRUE(blocks_.empty());
    builder_.add(numbered(15), chunk);
    ASSERT_EQ(blocks_.size(), 1U);
    EXPECT_EQ(blocks_[0].plain.size(), limits::mib);
    EXPECT_EQ(blocks_[0].chunks.size(), 16U);
    builder_.flush();
    EXPECT_EQ(blocks_.size(), 1U);
}

}  // namespace
}  // namespace coffre
