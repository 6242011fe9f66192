#include <gtest/gtest.h>
#include <zstd.h>

#include <memory>
#include <random>
#include <string>

#include "engine/codec/zstd.h"
#include "format/error.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

Bytes rows_of_text(std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "row " + std::to_string(i * i) + ", 'value'\n";
    return samples::bytes(text);
}

Bytes noise(std::size_t size) {
    std::mt19937_64 random(4711);
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    return bytes;
}

Bytes compressed(ByteView plain) {
    return Compressor().compress_if_it_pays(plain, 3).value();
}

// A zstd frame of `plain` that rests on `prefix`.
Bytes delta(ByteView plain, ByteView prefix) {
    std::unique_ptr<ZSTD_CCtx, decltype(&::ZSTD_freeCCtx)> const context(::ZSTD_createCCtx(),
                                                                         &::ZSTD_freeCCtx);
    ::ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size());
    Bytes frame(::ZSTD_compressBound(plain.size()));
    frame.resize(
        ::ZSTD_compress2(context.get(), frame.data(), frame.size(), plain.data(), plain.size()));
    return frame;
}

bool refused(ByteView frame, std::size_t plain_size, ByteView prefix = {}) {
    try {
        Decompressor().decompress(frame, plain_size, prefix);
        return false;
    } catch (FormatError const&) {
        return true;
    }
}

TEST(Zstd, RoundTripsAtEveryLevel) {
    Bytes const plain = rows_of_text(20'000);
    for (int const level : {1, 3, 12}) {
        auto const frame = Compressor().compress_if_it_pays(plain, level);
        ASSERT_TRUE(frame);
        EXPECT_LT(frame->size(), plain.size() / 2);
        EXPECT_EQ(Decompressor().decompress(*frame, plain.size(), {}), plain);
    }
}

TEST(Zstd, OneContextServesManyBlocks) {
    Compressor compressor;
    Decompressor decompressor;
    for (std::size_t count = 10; count < 10'000; count *= 3) {
        Bytes const plain = rows_of_text(count);
        auto const frame = compressor.compress_if_it_pays(plain, 3);
        ASSERT_TRUE(frame);
        EXPECT_EQ(decompressor.decompress(*frame, plain.size(), {}), plain);
    }
}

TEST(Zstd, RandomBytesDoNotPay) {
    for (std::size_t const size : {64U, 1000U, 100'000U, 1'000'000U}) {
        EXPECT_FALSE(Compressor().compress_if_it_pays(noise(size), 3)) << size;
    }
}

TEST(Zstd, AFewBytesDoNotPay) {
    EXPECT_FALSE(Compressor().compress_if_it_pays({}, 3));
    EXPECT_FALSE(Compressor().compress_if_it_pays(Bytes(63), 3));
    EXPECT_TRUE(Compressor().compress_if_it_pays(Bytes(64), 3));
}

TEST(Zstd, WhatPaysSavesThreePercent) {
    Bytes plain = noise(100'000);
    plain.resize(101'000);
    EXPECT_FALSE(Compressor().compress_if_it_pays(plain, 3));
    plain.resize(110'000);
    EXPECT_TRUE(Compressor().compress_if_it_pays(plain, 3));
}

TEST(Zstd, AnotherPlainSizeIsRefused) {
    Bytes const plain = rows_of_text(100);
    Bytes const frame = compressed(plain);
    EXPECT_TRUE(refused(frame, plain.size() - 1));
    EXPECT_TRUE(refused(frame, plain.size() + 1));
    EXPECT_TRUE(refused(frame, 0));
}

TEST(Zstd, ABombIsRefusedBeforeItUnfolds) {
    Bytes const frame = compressed(Bytes(16 * 1024 * 1024));
    EXPECT_LT(frame.size(), 10'000U);
    EXPECT_TRUE(refused(frame, 1000));
}

// By hand: it announces seven bytes, and its only block repeats a zero 131,072 times.
TEST(Zstd, AFrameThatUnfoldsToMoreThanItAnnouncesIsRefused) {
    Bytes frame;
    for (unsigned const byte : {0x28U, 0xb5U, 0x2fU, 0xfdU, 0x20U, 7U, 0x03U, 0x00U, 0x10U, 0U}) {
        frame.push_back(static_cast<std::byte>(byte));
    }
    EXPECT_EQ(::ZSTD_getFrameContentSize(frame.data(), frame.size()), 7U);
    EXPECT_TRUE(refused(frame, 7));
    EXPECT_TRUE(refused(frame, 131'072));
}

TEST(Zstd, AFrameThatDoesNotAnnounceItsSizeIsRefused) {
    Bytes const plain = rows_of_text(100);
    std::unique_ptr<ZSTD_CCtx, decltype(&::ZSTD_freeCCtx)> const context(::ZSTD_createCCtx(),
                                                                         &::ZSTD_freeCCtx);
    ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_contentSizeFlag, 0);
    Bytes frame(::ZSTD_compressBound(plain.size()));
    frame.resize(
        ::ZSTD_compress2(context.get(), frame.data(), frame.size(), plain.data(), plain.size()));
    EXPECT_TRUE(refused(frame, plain.size()));
}

TEST(Zstd, EveryPrefixOfAFrameIsRefused) {
    Bytes const plain = rows_of_text(100);
    Bytes const frame = compressed(plain);
    for (std::size_t size = 0; size < frame.size(); ++size) {
        EXPECT_TRUE(refused(ByteView(frame).first(size), plain.size())) << size;
    }
}

TEST(Zstd, TwoFramesAreNotOne) {
    Bytes const plain = rows_of_text(100);
    Bytes frames = compressed(plain);
    append(frames, compressed(plain));
    EXPECT_TRUE(refused(frames, plain.size()));
    EXPECT_TRUE(refused(frames, 2 * plain.size()));
}

TEST(Zstd, AFlippedBitNeverGivesAnotherSize) {
    Bytes const plain = rows_of_text(30);
    Bytes const frame = compressed(plain);
    for (std::size_t bit = 0; bit < 8 * frame.size(); ++bit) {
        Bytes flipped = frame;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        try {
            EXPECT_EQ(Decompressor().decompress(flipped, plain.size(), {}).size(), plain.size());
        } catch (FormatError const&) {
            continue;
        }
    }
}

TEST(ZstdDelta, IsDecodedWithItsPrefix) {
    Bytes const prefix = noise(200'000);
    Bytes plain = prefix;
    plain[100'000] ^= std::byte{1};
    Bytes const frame = delta(plain, prefix);
    EXPECT_LT(frame.size(), 1000U);
    EXPECT_EQ(Decompressor().decompress(frame, plain.size(), prefix), plain);
}

TEST(ZstdDelta, WithoutItsPrefixGivesOtherBytesOrNone) {
    Bytes const prefix = noise(50'000);
    Bytes const frame = delta(Bytes(prefix), prefix);
    EXPECT_TRUE(refused(frame, prefix.size()));
    bool is_it = false;
    try {
        is_it = Decompressor().decompress(frame, prefix.size(), Bytes(50'000)) == prefix;
    } catch (FormatError const&) {
        // or none
    }
    EXPECT_FALSE(is_it);
}

TEST(ZstdDelta, ThePrefixIsForgottenAfterUse) {
    Bytes const prefix = noise(50'000);
    Bytes const frame = delta(Bytes(prefix), prefix);
    Decompressor decompressor;
    EXPECT_EQ(decompressor.decompress(frame, prefix.size(), prefix), prefix);
    EXPECT_THROW(decompressor.decompress(frame, prefix.size(), {}), FormatError);
    Bytes const plain = rows_of_text(100);
    EXPECT_EQ(decompressor.decompress(compressed(plain), plain.size(), {}), plain);
}

}  // namespace
}  // namespace coffre
