// What is read of a file that somebody writes to meanwhile.
#include "engine/util/source_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "engine/util/fd.h"
#include "format/limits.h"
#include "tests/unit/engine_test_repo.h"

namespace coffre::test {
namespace {

std::uint64_t read_all(SourceFile& file) {
    Bytes buffer(limits::mib);
    std::uint64_t total = 0;
    for (;;) {
        std::size_t const size = file.read(buffer);
        total += size;
        if (size < buffer.size()) return total;
    }
}

TEST(SourceFile, OneThatGrowsFasterThanItIsReadHasAnEnd) {
    TempFolder const folder;
    Fd const fd(::open((folder / "log").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    ASSERT_TRUE(pwrite_full(fd.get(), Bytes(100), 0));
    struct stat status {};
    ASSERT_EQ(::fstat(fd.get(), &status), 0);
    SourceFile small(fd.get(), status);
    ASSERT_EQ(::ftruncate(fd.get(), 3 * limits::mib), 0);
    EXPECT_EQ(read_all(small), 3 * limits::mib);
    EXPECT_TRUE(small.has_changed());
    SourceFile large(fd.get(), status);
    ASSERT_EQ(::ftruncate(fd.get(), 200 * limits::mib), 0);
    EXPECT_LT(read_all(large), 100 * limits::mib);
    EXPECT_TRUE(large.has_changed());
}

}  // namespace
}  // namespace coffre::test
