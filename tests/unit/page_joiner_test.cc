#include "engine/restore/page_joiner.h"

#include <gtest/gtest.h>

#include "engine/util/pages.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

int const a = 0;
int const b = 0;  // stand for two files

FilePiece piece(std::uint64_t offset, std::string const& bytes) {
    auto const view = as_bytes(bytes);
    return {offset, Bytes(view.begin(), view.end())};
}

TEST(PageJoiner, GivesAPageWhenAllOfItIsThere) {
    std::string const page = random_bytes(1, page_size);
    std::uint64_t const begin = 7 * page_size;
    PageJoiner joiner;
    EXPECT_FALSE(joiner.join(&a, piece(begin + 3000, page.substr(3000))));
    EXPECT_FALSE(joiner.join(&a, piece(begin, page.substr(0, 1000))));
    auto const whole = joiner.join(&a, piece(begin + 1000, page.substr(1000, 2000)));
    ASSERT_TRUE(whole);
    EXPECT_EQ(whole->offset, begin);
    EXPECT_EQ(to_text(whole->bytes), page);
    EXPECT_TRUE(joiner.take(&a).empty());
}

TEST(PageJoiner, KeepsFilesAndPagesApart) {
    std::string const half(page_size / 2, 'x');
    PageJoiner joiner;
    EXPECT_FALSE(joiner.join(&a, piece(0, half)));
    EXPECT_FALSE(joiner.join(&b, piece(page_size / 2, half)));
    EXPECT_FALSE(joiner.join(&a, piece(page_size + page_size / 2, half)));
    EXPECT_TRUE(joiner.join(&b, piece(0, half)));
    EXPECT_TRUE(joiner.join(&a, piece(page_size / 2, half)));
    EXPECT_EQ(joiner.take(&a).size(), 1U);
}

TEST(PageJoiner, GivesBackWhatWaits) {
    PageJoiner joiner;
    EXPECT_FALSE(joiner.join(&a, piece(5, "five")));
    EXPECT_FALSE(joiner.join(&a, piece(page_size, "next")));
    EXPECT_FALSE(joiner.join(&b, piece(page_size, "other")));
    auto const waiting = joiner.take(&a);
    ASSERT_EQ(waiting.size(), 2U);
    EXPECT_EQ(waiting[0].offset, 5U);
    EXPECT_EQ(to_text(waiting[0].bytes), "five");
    EXPECT_EQ(waiting[1].offset, page_size);
    EXPECT_EQ(to_text(waiting[1].bytes), "next");
    EXPECT_TRUE(joiner.take(&a).empty());
    EXPECT_EQ(joiner.take(&b).size(), 1U);
}

TEST(PageJoiner, LetsNoMoreThanSoManyPagesWait) {
    constexpr std::uint64_t pieces = 10'000;
    PageJoiner joiner;
    std::uint64_t given = 0;
    for (std::uint64_t i = 0; i < pieces; ++i) {
        auto const now = joiner.join(&a, piece(i * page_size, "begin"));
        if (!now) continue;
        EXPECT_EQ(now->offset, i * page_size);
        EXPECT_EQ(to_text(now->bytes), "begin");
        ++given;
    }
    std::size_t const waiting = joiner.take(&a).size();
    EXPECT_EQ(waiting + given, pieces);
    EXPECT_LT(waiting, 1'000U);
    EXPECT_FALSE(joiner.join(&a, piece(0, "begin")));
}

}  // namespace
}  // namespace coffre
