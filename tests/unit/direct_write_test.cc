#include "engine/util/direct_write.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/util/fd.h"
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

TEST(DirectWrite, WritesPartsWhereTheyBelong) {
    TempFolder const folder;
    std::string const bytes = random_bytes(5, 9 * mib + 77);
    for (std::size_t const offset : {0U, 1U, 4095U, 4096U, 4097U, 1'000'003U}) {
        for (std::size_t const size : {std::size_t{0}, std::size_t{1}, mib / 4 - 1, mib / 4,
                                       mib / 4 + 1, 4 * mib, 4 * mib + 8192, 9 * mib + 77}) {
            Fd const file = new_file(folder);
            std::string const part = bytes.substr(0, size);
            ASSERT_TRUE(pwrite_past_cache(file.get(), as_bytes(part), static_cast<off_t>(offset)));
            std::string const expected = size == 0 ? "" : std::string(offset, '\0') + part;
            EXPECT_TRUE(contents(file) == expected) << size << " bytes at " << offset;
        }
    }
}

// Neighbours share pages: what one writes of them must not undo what the other wrote.
TEST(DirectWrite, LeavesNeighboursAsTheyAre) {
    TempFolder const folder;
    std::string const bytes = random_bytes(6, 4 * mib);
    std::vector<std::size_t> const ends{300'001, 700'000, 1'500'123, 2'000'000, bytes.size()};
    for (bool const backwards : {false, true}) {
        Fd const file = new_file(folder);
        for (std::size_t i = 0; i < ends.size(); ++i) {
            std::size_t const at = backwards ? ends.size() - 1 - i : i;
            std::size_t const begin = at == 0 ? 0 : ends[at - 1];
            std::string const part = bytes.substr(begin, ends[at] - begin);
            ASSERT_TRUE(pwrite_past_cache(file.get(), as_bytes(part), static_cast<off_t>(begin)));
        }
        EXPECT_TRUE(contents(file) == bytes);
    }
}

TEST(DirectWrite, FailsWhereNothingCanBeWritten) {
    std::string const bytes = random_bytes(7, mib);
    Fd const full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
    EXPECT_FALSE(pwrite_past_cache(full.get(), as_bytes(bytes), 0));
    EXPECT_EQ(errno, ENOSPC);
    EXPECT_FALSE(write_past_cache(full.get(), as_bytes(bytes)));
    EXPECT_EQ(errno, ENOSPC);
}

}  // namespace
}  // namespace coffre
