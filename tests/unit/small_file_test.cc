// Small files that are made and replaced whole.
#include "engine/util/small_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

mode_t mode_of(std::string const& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777U;
}

// In a folder where others may make files, they know the process that is about to.
TEST(SmallFile, IsNobodyElsesFile) {
    TempFolder const folder;
    std::string const planted = folder / ("key.new-" + std::to_string(::getpid()));
    write_file(planted, "planted");
    set_mode(planted, 0666);
    EXPECT_TRUE(create_small_file(folder / "key", as_bytes("secret")));
    EXPECT_EQ(mode_of(folder / "key"), 0600U);
    replace_small_file(folder / "key", "another");
    EXPECT_EQ(mode_of(folder / "key"), 0600U);
    EXPECT_EQ(read_file(planted), "planted");
    EXPECT_FALSE(create_small_file(folder / "key", as_bytes("third")));
    EXPECT_EQ(read_file(folder / "key"), "another");
}

}  // namespace
}  // namespace coffre
