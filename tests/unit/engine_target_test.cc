// The folder that is restored into: each of its calls, resolved by the kernel and by hand.
#include "engine/restore/target.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "engine/error.h"
#include "engine/restore/file_writer.h"
#include "hostile_scene.h"

namespace coffre {
namespace {

using namespace test;

class TargetTest : public testing::TestWithParam<Resolution> {
protected:
    void SetUp() override {
        make_folder(scene_.target() + "/folder");
        write_file(scene_.target() + "/folder/file", "file");
        make_symlink(scene_.target() + "/link", scene_.canary());
        make_symlink(scene_.target() + "/link to file", scene_.canary() + "/file");
        make_symlink(scene_.target() + "/inside", "folder");
        make_symlink(scene_.target() + "/magic", "/proc/self/root" + scene_.canary());
        outside_ = scene_.outside();
    }
    void TearDown() override { EXPECT_EQ(scene_.outside(), outside_); }

    // All of it.
    std::uint64_t remove(std::string const& path) {
        Removal how;
        how.keeps = [](std::string const&, FoundEntry const&) { return false; };
        return target_.remove(path, how);
    }

    Scene scene_;
    Target target_{scene_.target(), Absent::stays, GetParam()};
    TreeImage outside_;
};

// Fails as something that is named, not as a success.
template <class Action>
void expect_refused(std::string const& what, Action const& action) {
    try {
        action();
        ADD_FAILURE() << what;
    } catch (SourceError const& error) {
        EXPECT_STRNE(error.what(), "") << what;
    }
}

TEST_P(TargetTest, FollowsNoLink) {
    for (std::string const link : {"link", "inside", "magic"}) {
        std::string const below = link + "/new";
        EXPECT_FALSE(target_.has_folder(link));
        EXPECT_FALSE(target_.has_folder(link + "/folder"));
        EXPECT_TRUE(S_ISLNK(target_.look(link)->st_mode));
        expect_refused(link, [&] { target_.look(below); });
        expect_refused(link, [&] { target_.make_directory(below); });
        expect_refused(link, [&] { target_.create_file(below); });
        expect_refused(link, [&] { target_.make_link(below, link_to("new", "x")); });
        expect_refused(link, [&] { target_.make_special(below, node_of("", NodeKind::fifo)); });
        expect_refused(link, [&] { remove(link + "/file"); });
        expect_refused(link, [&] { target_.names(link); });
        expect_refused(link, [&] { target_.parent_of(below); });
        expect_refused(link, [&] { target_.open_file(link, O_RDONLY); });
        expect_refused(link, [&] { target_.open_file(link + "/file", O_RDWR); });
        auto const file = target_.look("folder/file");
        expect_refused(link, [&] { target_.make_hard_link(below, "folder/file", *file); });
    }
}

TEST_P(TargetTest, CreatesNoFileWhereSomethingIs) {
    for (std::string const path : {"link to file", "link", "folder", "folder/file"}) {
        expect_refused(path, [&] { target_.create_file(path); });
        expect_refused(path, [&] { target_.make_directory(path); });
        expect_refused(path, [&] { target_.make_link(path, link_to("", "x")); });
        expect_refused(path, [&] { target_.make_special(path, node_of("", NodeKind::fifo)); });
    }
}

TEST_P(TargetTest, RemovesALinkAndNotWhereItLeads) {
    EXPECT_EQ(remove("link"), 1U);
    EXPECT_EQ(remove("magic"), 1U);
    make_symlink(scene_.target() + "/folder/link", scene_.canary());
    EXPECT_EQ(remove("folder"), 3U);
    EXPECT_FALSE(target_.look("folder"));
}

TEST_P(TargetTest, LinksOnlyTheFileThatWasLookedAt) {
    auto const known = target_.look("folder/file");
    target_.make_hard_link("second", "folder/file", *known);
    EXPECT_EQ(target_.look("second")->st_ino, known->st_ino);
    write_file(scene_.target() + "/other", "other");
    std::filesystem::rename(scene_.target() + "/other", scene_.target() + "/folder/file");
    expect_refused("exchanged", [&] { target_.make_hard_link("third", "folder/file", *known); });
    std::filesystem::remove(scene_.target() + "/folder/file");
    make_symlink(scene_.target() + "/folder/file", scene_.canary() + "/file");
    expect_refused("exchanged", [&] { target_.make_hard_link("third", "folder/file", *known); });
    EXPECT_FALSE(target_.look("third"));
}

TEST_P(TargetTest, LinksALinkItself) {
    auto const known = target_.look("link");
    target_.make_hard_link("second", "link", *known);
    EXPECT_TRUE(S_ISLNK(target_.look("second")->st_mode));
}

TEST_P(TargetTest, DoesNotWaitForAFifo) {
    ASSERT_EQ(::mkfifo((scene_.target() + "/pipe").c_str(), 0600), 0);
    expect_refused("pipe", [&] { target_.open_file("pipe", O_WRONLY); });
    EXPECT_TRUE(target_.open_file("pipe", O_RDONLY));
}

TEST_P(TargetTest, TakesTheRightsOfAFileThatIsWritten) {
    set_mode(scene_.target() + "/folder/file", 06555);
    target_.allow_writing("folder/file", *target_.look("folder/file"));
    EXPECT_TRUE(is_unfinished(*target_.look("folder/file")));
    set_mode(scene_.target() + "/folder", 03500);
    target_.allow_writing("folder", *target_.look("folder"));
    EXPECT_EQ(target_.look("folder")->st_mode & 07777U, 03700U);
}

class WritingATarget : public TargetTest {
protected:
    WritingATarget() {
        file_->path = "folder/new";
        file_->node = node_of("new", NodeKind::file);
    }

    RestoreRequest const request_;
    Progress progress_;
    Metadata metadata_{request_};
    FileWriter writer_{target_, metadata_, request_, progress_};
    std::shared_ptr<RestoredFile> file_ = std::make_shared<RestoredFile>();
};

// Another file that somebody puts in the place of the one that is being written.
TEST_P(WritingATarget, GoesToNoOtherFileOfTheName) {
    file_->identity = identity_of(target_.create_file(file_->path), file_->path);
    std::filesystem::remove(scene_.target() + "/folder/new");
    std::filesystem::create_hard_link(scene_.canary() + "/shared", scene_.target() + "/folder/new");
    writer_.write({file_, 0, {}, 7}, as_bytes("hostile"));
    writer_.release(*file_);
    ASSERT_EQ(writer_.failures().size(), 1U);
    EXPECT_EQ(writer_.failures()[0].message, "was exchanged while it was restored");
    EXPECT_EQ(writer_.bytes_written(), 0U);
    EXPECT_TRUE(target_.look("folder/new"));
}

// A new file that is only in part there goes.
TEST_P(WritingATarget, RemovesItsOwnFileThatFailed) {
    file_->node.size = 7;
    writer_.write({file_, 0, {}, 4}, as_bytes("part"));
    EXPECT_TRUE(target_.look("folder/new"));
    writer_.mark_failed(*file_, "the rest is lost");
    writer_.release(*file_);
    EXPECT_FALSE(target_.look("folder/new"));
}

// What takes the place of another file, and is not completed: a stop, or a failure elsewhere.
TEST_P(WritingATarget, LeavesNoTemporaryBehind) {
    file_->node.size = 7;
    file_->path = "folder/file";
    file_->temporary = Target::temporary_beside("folder/file");
    auto const before = target_.look("folder/file");
    {
        FileWriter writer(target_, metadata_, request_, progress_);
        writer.write({file_, 0, {}, 4}, as_bytes("part"));
        EXPECT_TRUE(target_.look(*file_->temporary));
    }
    EXPECT_FALSE(target_.look(*file_->temporary));
    EXPECT_EQ(target_.look("folder/file")->st_ino, before->st_ino);
}

// Whatever else has its temporary name by then is put nowhere.
TEST_P(WritingATarget, PutsNothingElseInPlace) {
    file_->path = "folder/file";
    file_->node.size = 7;
    file_->temporary = Target::temporary_beside("folder/file");
    auto const before = target_.look("folder/file");
    writer_.write({file_, 0, {}, 7}, as_bytes("content"));
    std::string const temporary = scene_.target() + "/" + *file_->temporary;
    std::filesystem::remove(temporary);
    write_file(temporary, "hostile");
    writer_.release(*file_);
    writer_.finish();
    EXPECT_EQ(writer_.failures().size(), 1U);
    EXPECT_EQ(target_.look("folder/file")->st_ino, before->st_ino);
}

// Components of the largest size, so that pieces of the path end at all places.
TEST_P(TargetTest, TakesPathsOfAnyLength) {
    std::string path = "folder";
    for (int i = 0; i < 40; ++i) {
        std::size_t const size = i % 2 == 0 ? 255U : 200U + static_cast<unsigned>(i);
        path.append("/").append(size, '\xfe');
        target_.make_directory(path);
        EXPECT_TRUE(target_.has_folder(path));
    }
    EXPECT_GT(path.size(), 2U * 4096);
    std::string const file = path + "/" + std::string(255, 'f');
    ASSERT_TRUE(target_.create_file(file));
    target_.make_hard_link(path + "/second", file, *target_.look(file));
    EXPECT_EQ(target_.names(path).size(), 2U);
    EXPECT_TRUE(target_.open_file(path, O_RDONLY | O_DIRECTORY));
    expect_refused("above", [&] { target_.look(path + "/nothing/x"); });
    EXPECT_EQ(remove("folder"), 44U);
}

TEST_P(TargetTest, RemovesDeepFoldersWithFewDescriptors) {
    std::string path = "deep";
    target_.make_directory(path);
    for (int i = 0; i < 1500; ++i) target_.make_directory(path += "/d");
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = before;
    few.rlim_cur = 256;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
    on_large_stack([&] { EXPECT_EQ(remove("deep"), 1501U); });
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

std::string resolution_name(testing::TestParamInfo<Resolution> const& info) {
    return info.param == Resolution::by_kernel ? "ByKernel" : "ByComponent";
}

INSTANTIATE_TEST_SUITE_P(Resolutions, WritingATarget,
                         testing::Values(Resolution::by_kernel, Resolution::by_component),
                         resolution_name);
INSTANTIATE_TEST_SUITE_P(Resolutions, TargetTest,
                         testing::Values(Resolution::by_kernel, Resolution::by_component),
                         resolution_name);

}  // namespace
}  // namespace coffre
