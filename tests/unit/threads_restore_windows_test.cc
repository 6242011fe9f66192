// A restore that takes several windows: one is written by workers while the next is planned.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

constexpr ChunkerSizes small_sizes{64, 256, 2048};
constexpr int files = 60;
constexpr std::size_t file_size = 40'000;  // some 150 chunks

class ThreadsRestoreWindows : public testing::Test {
protected:
    ThreadsRestoreWindows() {
        for (int i = 0; i < files; ++i) {
            write_file(source_ / name_of(i), random_bytes(static_cast<unsigned>(i), file_size));
        }
        image_ = image_of(source_.path());
        repo_.save(source_.path());
    }
    static std::string name_of(int number) { return "file" + std::to_string(100 + number); }
    RestoreResult restore() {
        RestoreRequest request;
        request.from = repo_.find("latest");
        request.from.sub_path = source_.path();
        request.target = target_.path();
        request.threads = 4;
        return repo_.restore(request);
    }

    TestRepo repo_{Mode::encrypted, small_sizes};
    TempFolder source_;
    TempFolder target_;
    TreeImage image_;
};

TEST_F(ThreadsRestoreWindows, BringBackEveryFile) {
    auto const result = restore();
    EXPECT_GT(repo_.check(CheckDepth::read_data).chunks_read, 6'000U);
    EXPECT_EQ(result.files_restored, static_cast<std::uint64_t>(files));
    EXPECT_EQ(image_of(target_.path()), image_);
}

// What the planning thread compares, keeps and refuses goes on beside what the workers write.
TEST_F(ThreadsRestoreWindows, LeaveWhatIsThereAndNameWhatIsInTheWay) {
    restore();
    for (int i = 0; i < files; i += 3) std::filesystem::remove(target_ / name_of(i));
    for (int i = 1; i < files; i += 6) write_file(target_ / name_of(i), "something else");
    std::filesystem::remove(target_ / name_of(2));
    std::filesystem::create_directory(target_ / name_of(2));
    auto const result = restore();
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].path, name_of(2));
    EXPECT_EQ(result.files_restored, 30U);
    std::filesystem::remove(target_ / name_of(2));
    restore();
    EXPECT_EQ(image_of(target_.path()), image_);
}

}  // namespace
}  // namespace coffre
