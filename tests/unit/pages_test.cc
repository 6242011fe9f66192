#include "engine/util/pages.h"

#include <gtest/gtest.h>

namespace coffre {
namespace {

TEST(Pages, BeginAtAPageAndHaveTheSizeAskedFor) {
    for (std::size_t const size : {std::size_t{1}, page_size, 3 * page_size + 5}) {
        Pages pages(size);
        EXPECT_EQ(pages.size(), size);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pages.bytes().data()) % page_size, 0U);
        std::fill(pages.bytes().begin(), pages.bytes().end(), std::byte{7});
        EXPECT_EQ(pages.bytes().back(), std::byte{7});
    }
}

TEST(Pages, AreUsedAgainByTheirPool) {
    auto const pool = std::make_shared<PagePool>(page_size);
    std::byte const* first = nullptr;
    {
        Pages const pages = pool->get();
        first = pages.bytes().data();
        EXPECT_NE(pool->get().bytes().data(), first);
    }
    Pages const again = pool->get();
    EXPECT_EQ(again.bytes().data(), first);
}

TEST(Pages, OutliveTheirPool) {
    auto pool = std::make_shared<PagePool>(page_size);
    Pages pages = pool->get();
    pool.reset();
    std::fill(pages.bytes().begin(), pages.bytes().end(), std::byte{7});
    EXPECT_EQ(pages.bytes().front(), std::byte{7});
}

TEST(PagesDeathTest, NobodyWritesPastTheEnd) {
    Pages pages(2 * page_size);
    std::byte* const end = pages.bytes().data() + pages.size();
    EXPECT_DEATH(*end = std::byte{1}, "");
}

}  // namespace
}  // namespace coffre
