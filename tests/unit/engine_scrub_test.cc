#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "engine/backend/local.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

// A repository on disk with an object of each kind that a snapshot makes.
class Scrub : public testing::TestWithParam<Mode> {
protected:
    void SetUp() override {
        write_file(folder_ / "source", random_bytes(1, 200'000));
        InitOptions init;
        init.mode = GetParam();
        Credentials credentials;
        if (GetParam() == Mode::encrypted) credentials.key_file = folder_ / "key";
        auto const repository =
            init_repository(folder_ / "store", init, credentials, {folder_ / "cache", false});
        auto request = saving({folder_ / "source"});
        Progress progress;
        take_snapshot(*repository, request, progress);
        for (auto const& object : open_local_store(folder_ / "store")->list("")) {
            if (object.name != names::reserve) objects_.push_back(object);
        }
    }
    CheckReport scrub() {
        Progress progress;
        return scrub_store(folder_ / "store", 1, progress);
    }
    std::string path(ObjectInfo const& object) { return folder_ / ("store/" + object.name); }
    void flip(ObjectInfo const& object, std::uint64_t at) {
        std::fstream file(path(object), std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(static_cast<std::streamoff>(at));
        auto const byte = static_cast<char>(file.get() ^ 0x10);
        file.seekp(static_cast<std::streamoff>(at));
        file.put(byte);
    }

    TempFolder folder_;
    std::vector<ObjectInfo> objects_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Scrub, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "None" : "Encrypted";
                         });

TEST_P(Scrub, FindsNothingWhereNothingIsWrong) {
    std::uint64_t bytes = 0;
    for (auto const& object : objects_) bytes += object.size;
    auto const report = scrub();
    EXPECT_TRUE(report.clean());
    EXPECT_EQ(report.bytes_read, bytes);
    EXPECT_EQ(report.packs, 2U);
}

TEST_P(Scrub, NamesTheObjectWithAFlippedByte) {
    for (auto const& object : objects_) {
        std::uint64_t const step = object.size < 2000 ? 7 : object.size / 60;
        for (std::uint64_t at = 0; at < object.size; at += step) {
            flip(object, at);
            auto const report = scrub();
            ASSERT_EQ(report.errors.size(), 1U) << object.name << " at " << at;
            EXPECT_TRUE(contains(report.errors[0], object.name)) << report.errors[0];
            flip(object, at);
        }
    }
    EXPECT_TRUE(scrub().clean());
}

TEST_P(Scrub, NamesTheObjectThatIsCutOff) {
    for (auto const& object : objects_) {
        for (auto const size : {object.size - 1, object.size / 2, std::uint64_t{0}}) {
            std::string const whole = read_file(path(object));
            std::filesystem::resize_file(path(object), size);
            EXPECT_TRUE(any_contains(scrub().errors, object.name)) << object.name << " " << size;
            write_file(path(object), whole);
        }
    }
}

TEST_P(Scrub, NamesWhatIsNoObject) {
    write_file(folder_ / "store/notes.txt", "not an object, but long enough");
    EXPECT_TRUE(any_contains(scrub().errors, "notes.txt"));
}

TEST(ScrubOfNothing, IsRefused) {
    TempFolder const folder;
    Progress progress;
    EXPECT_EQ(failure_of([&] { scrub_store(folder / "absent", 1, progress); }),
              RepositoryFailure::not_found);
    create_local_store(folder / "empty");
    EXPECT_EQ(failure_of([&] { scrub_store(folder / "empty", 1, progress); }),
              RepositoryFailure::not_found);
}

}  // namespace
}  // namespace coffre
