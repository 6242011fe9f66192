// A check that reads packs while it walks the trees.
#include <gtest/gtest.h>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

class ThreadsCheck : public testing::Test {
protected:
    ThreadsCheck() {
        for (unsigned run = 0; run < 3; ++run) {
            for (unsigned i = 0; i < 40; ++i) {
                std::string const name = std::to_string(run) + "-" + std::to_string(i);
                write_file(source_ / name, random_bytes(100 * run + i, 20'000));
            }
            repo_.save(source_.path());
        }
    }
    CheckReport check() {
        Progress progress;
        return check_repository(*repo_, CheckDepth::read_data, 4, progress);
    }
    TempFolder source_;
    TestRepo repo_{Mode::encrypted, {256, 1024, 4096}};
};

TEST_F(ThreadsCheck, ReadsAll) {
    auto const report = check();
    EXPECT_TRUE(report.clean());
    EXPECT_EQ(report.files, 40U + 80U + 120U);
    EXPECT_GT(report.bytes_read, 120U * 20'000U);
}

TEST_F(ThreadsCheck, NamesEachDamageOnce) {
    auto objects = repo_.store().objects();
    std::string const pack = repo_.objects("packs/").front();
    objects[pack][objects[pack].size() / 2] ^= std::byte{1};
    repo_.store().replace_all(objects);
    auto const report = check();
    std::size_t named = 0;
    for (auto const& error : report.errors) named += error.starts_with(pack) ? 1U : 0U;
    EXPECT_EQ(named, 1U) << report.errors.size();
}

}  // namespace
}  // namespace coffre
