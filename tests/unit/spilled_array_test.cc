#include "engine/util/spilled_array.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <random>

#include "engine/repository/chunk_bits.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

TEST(SpilledArray, HoldsWhatWasPutThereInMemoryAndInAFile) {
    TempFolder const folder;
    std::mt19937_64 random(20261128);
    for (std::size_t const in_memory : {0U, 4096U, 100'000U, 10'000'000U}) {
        SpilledArray<std::uint64_t> array(folder.path(), in_memory);
        std::vector<std::uint64_t> expected;
        for (std::size_t i = 0; i < 50'000; ++i) {
            expected.push_back(random());
            array.push_back(expected.back());
        }
        EXPECT_EQ(array.has_spilled(), in_memory < 400'000) << in_memory;
        EXPECT_TRUE(std::equal(array.begin(), array.end(), expected.begin(), expected.end()));
        std::sort(array.begin(), array.end());
        std::sort(expected.begin(), expected.end());
        SpilledArray<std::uint64_t> const moved = std::move(array);
        EXPECT_TRUE(std::equal(moved.begin(), moved.end(), expected.begin(), expected.end()));
        EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    }
}

TEST(SpilledArray, NewRowsAreZero) {
    TempFolder const folder;
    for (std::size_t const in_memory : {0U, 4096U, 1'000'000U}) {
        SpilledArray<std::uint32_t> array(folder.path(), in_memory);
        for (std::size_t size = 1; size < 100'000; size = 3 * size + 1) {
            std::size_t const before = array.size();
            array.resize(size);
            ASSERT_EQ(std::count(array.begin() + before, array.end(), 0U), size - before);
            std::fill(array.begin() + before, array.end(), 7);
        }
        EXPECT_EQ(std::count(array.begin(), array.end(), 7U), array.size());
    }
}

TEST(SpilledArray, SaysWhereThereIsNoRoomAndKeepsWhatItHas) {
    SpilledArray<std::uint64_t> array("/nowhere", 4096);
    for (std::uint64_t i = 0; i < 512; ++i) array.push_back(i);
    for (int attempt = 0; attempt < 2; ++attempt) {
        try {
            array.push_back(512);
            FAIL() << "no error";
        } catch (SourceError const& error) {
            EXPECT_TRUE(contains(error.what(), "/nowhere: cannot write")) << error.what();
        }
    }
    ASSERT_EQ(array.size(), 512U);
    EXPECT_EQ(array[511], 511U);
}

// More packs and chunks than are kept in memory; every eighth pack is compared bit by bit.
TEST(ChunkBits, AreThoseThatWereSet) {
    TempFolder const folder;
    std::mt19937_64 random(20261128);
    ChunkBits bits(folder.path());
    std::vector<std::vector<bool>> expected(1'200'000);
    for (int i = 0; i < 3000; ++i) {
        auto const pack = static_cast<PackNumber>(random() % expected.size());
        if (bits.has(pack)) continue;
        auto& chunks = expected[pack];
        chunks.resize(1 + random() % 50'000);
        bits.add(pack, chunks.size());
        for (int j = 0; j < 100; ++j) {
            auto const ordinal = static_cast<std::uint32_t>(random() % chunks.size());
            EXPECT_EQ(bits.set(pack, ordinal), !chunks[ordinal]);
            chunks[ordinal] = true;
        }
    }
    std::size_t packs = 0;
    bits.each_pack([&](PackNumber pack) {
        if (++packs % 8 != 0) return;
        for (std::uint32_t i = 0; i < expected[pack].size(); ++i) {
            ASSERT_EQ(bits.is_set(pack, i), expected[pack][i]) << pack << " " << i;
        }
    });
    EXPECT_EQ(packs, bits.packs());
    EXPECT_EQ(packs, std::count_if(expected.begin(), expected.end(),
                                   [](auto const& chunks) { return !chunks.empty(); }));
    EXPECT_FALSE(bits.is_set(1'300'000, 0));
}

}  // namespace
}  // namespace coffre
