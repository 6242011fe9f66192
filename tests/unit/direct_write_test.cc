#include "engine/util/direct_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/util/fd.h"
#include "engine/util/pages.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

constexpr std::size_t mib = 1U << 20U;

std::string contents(Fd const& file) {
    std::string text(static_cast<std::size_t>(::lseek(file.get(), 0, SEEK_END)), '\0');
    pread_full(file.get(), std::as_writable_bytes(std::span(text)), 0);
    return text;
}

Fd new_file(TempFolder const& folder) {
    return Fd(::open((folder / "file").c_str(), O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600));
}

TEST(DirectWrite, WritesPagesWhereTheyBelong) {
    TempFolder const folder;
    std::string const bytes = random_bytes(5, 9 * mib);
    for (std::size_t const offset : {std::size_t{0}, page_size, 3 * mib + page_size}) {
        for (std::size_t const size :
             {std::size_t{0}, page_size, mib - page_size, mib, mib + page_size, 4 * mib, 9 * mib}) {
            Fd const file = new_file(folder);
            std::string const part = bytes.substr(0, size);
            ASSERT_TRUE(
                pwrite_pages_past_cache(file.get(), as_bytes(part), static_cast<off_t>(offset)));
            std::string const expected = size == 0 ? "" : std::string(offset, '\0') + part;
            EXPECT_TRUE(contents(file) == expected) << size << " bytes at " << offset;
        }
    }
}

TEST(DirectWrite, TellsWhichPagesAreWhole) {
    struct Case {
        off_t offset;
        std::size_t size, head, pages;
    };
    for (auto const& [offset, size, head, pages] : {Case{0, 0, 0, 0},
                                                    {0, 4095, 0, 0},
                                                    {0, 4096, 0, 4096},
                                                    {0, 9000, 0, 8192},
                                                    {1, 4095, 4095, 0},
                                                    {1, 4096, 4095, 0},
                                                    {1, 8191, 4095, 4096},
                                                    {4095, 1, 1, 0},
                                                    {4097, 100, 100, 0},
                                                    {4097, 20'000, 4095, 12288}}) {
        auto const shares = page_shares(offset, size);
        EXPECT_EQ(shares.head, head) << size << " bytes at " << offset;
        EXPECT_EQ(shares.pages, pages) << size << " bytes at " << offset;
    }
}

TEST(DirectWrite, FailsWhereNothingCanBeWritten) {
    std::string const bytes = random_bytes(7, mib);
    Fd const full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    EXPECT_FALSE(pwrite_pages_past_cache(full.get(), as_bytes(bytes), 0));
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_FALSE(write_past_cache(full.get(), as_bytes(bytes)));
    EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace coffre
