#include "engine/restore.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "engine/restore/metadata.h"
#include "engine/restore/target.h"
#include "engine_test_repo.h"
#include "hostile_tree.h"

namespace coffre {
namespace {

using namespace test;

struct stat status_of(std::string const& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) throw std::runtime_error(path + ": no status");
    return status;
}

// A saved folder and an empty one to restore into.
class Restore : public testing::Test {
protected:
    void SetUp() override {
        write_file(source_ / "file", "as it was");
        write_file(source_ / "large", random_bytes(1, 2U << 20U));
        make_folder(source_ / "folder/inner");
        write_file(source_ / "folder/inner/leaf.txt", "leaf");
        write_file(source_ / "folder/other.bin", "other");
        make_symlink(source_ / "link", "file");
        set_mtime(source_ / "file", 1'500'000'000, 42);
        set_mtime(source_ / "folder", 1'400'000'000, 0);
        set_mode(source_ / "file", 0640);
        repo_.save(source_.path());
        saved_ = image_of(source_.path());
    }
    RestoreRequest into_target(std::string const& sub_path = "") {
        RestoreRequest request;
        request.from = repo_.find("latest");
        request.from.sub_path = source_.path() + sub_path;
        request.target = target_.path();
        request.threads = 2;
        return request;
    }
    RestoreResult restore(RestoreRequest const& request) {
        auto const result = repo_.restore(request);
        EXPECT_EQ(result.failures, std::vector<SourceFailure>{});
        EXPECT_EQ(result.damaged, std::vector<SourceFailure>{});
        return result;
    }
    std::vector<std::string> restored_names() {
        std::vector<std::string> names;
        for (auto const& [name, what] : image_of(target_.path())) names.push_back(name);
        return names;
    }

    TempFolder source_;
    TempFolder target_;
    TestRepo repo_{Mode::none, {4096, 16384, 65536}};
    TreeImage saved_;
};

using Names = std::vector<std::string>;

TEST_F(Restore, CountsWhatItDid) {
    auto const result = restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
    EXPECT_EQ(result.files, 4U);
    EXPECT_EQ(result.files_restored, 4U);
    EXPECT_EQ(result.files_unchanged, 0U);
    EXPECT_EQ(result.directories, 2U);
    EXPECT_EQ(result.others, 1U);
    EXPECT_EQ(result.bytes, 9U + (2U << 20U) + 4 + 5);
    EXPECT_EQ(result.bytes_written, result.bytes);
}

TEST_F(Restore, MakesTheTargetFolder) {
    auto request = into_target();
    request.target = target_ / "a/b";
    restore(request);
    EXPECT_EQ(image_of(target_ / "a/b"), saved_);
}

TEST_F(Restore, TakesASubPath) {
    restore(into_target("/folder"));
    EXPECT_EQ(restored_names(), (Names{"inner", "inner/leaf.txt", "other.bin"}));
}

TEST_F(Restore, TakesASingleFile) {
    restore(into_target("/folder/inner/leaf.txt"));
    EXPECT_EQ(restored_names(), Names{"leaf.txt"});
    EXPECT_EQ(read_file(target_ / "leaf.txt"), "leaf");
}

TEST_F(Restore, RefusesASubPathThatIsNotThere) {
    EXPECT_EQ(failure_of([&] { repo_.restore(into_target("/nothing")); }),
              RepositoryFailure::failed);
    EXPECT_EQ(failure_of([&] { repo_.restore(into_target("/file/below")); }),
              RepositoryFailure::failed);
}

TEST_F(Restore, TakesOnlyWhatIsIncluded) {
    auto request = into_target();
    request.include.add("*.txt");
    restore(request);
    EXPECT_EQ(restored_names(), (Names{"folder", "folder/inner", "folder/inner/leaf.txt"}));
    EXPECT_EQ(image_of(target_.path())["folder"], saved_["folder"]);
}

// The last pattern that matches decides, also beneath a folder that another one has selected.
TEST_F(Restore, TakesBackWhatWasIncluded) {
    auto request = into_target();
    request.include.add("/folder");
    request.include.add("!*.txt");
    request.delete_extra = true;
    write_tree(target_.path(),
               {"folder/mine.txt", "folder/extra", "folder/new/gone", "folder/new/mine.txt"});
    restore(request);
    EXPECT_EQ(restored_names(), (Names{"folder", "folder/inner", "folder/mine.txt", "folder/new",
                                       "folder/new/mine.txt", "folder/other.bin"}));
}

TEST_F(Restore, HeedsPatternsForASingleFile) {
    for (auto const* pattern : {"file", "/file"}) {
        auto request = into_target("/file");
        request.exclude.add(pattern);
        EXPECT_EQ(restore(request).files, 0U);
    }
    auto request = into_target("/file");
    request.exclude.add(source_ / "file");
    EXPECT_EQ(restore(request).files, 0U);
    request = into_target("/file");
    request.include.add("other");
    EXPECT_EQ(restore(request).files, 0U);
    request.include.add(source_ / "file");
    EXPECT_EQ(restore(request).files, 1U);
    request = into_target("/folder/other.bin");
    request.include.add(source_ / "folder");
    EXPECT_EQ(restore(request).files, 1U);
}

TEST_F(Restore, TakesAFolderThatIsIncludedWithAllBeneath) {
    auto request = into_target();
    request.include.add("/folder");
    request.exclude.add("inner");
    restore(request);
    EXPECT_EQ(restored_names(), (Names{"folder", "folder/other.bin"}));
}

TEST_F(Restore, WritesOnlyWhatDiffers) {
    restore(into_target());
    std::string content = read_file(target_ / "large");
    content[1U << 20U] ^= 1;
    write_file(target_ / "large", content);
    write_file(target_ / "file", "as it is now, longer");
    auto const result = restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
    EXPECT_EQ(result.files_restored, 2U);
    EXPECT_EQ(result.files_unchanged, 2U);
    EXPECT_GE(result.bytes_written, 4096U);
    EXPECT_LE(result.bytes_written, 65536U + 9);
}

TEST_F(Restore, CorrectsMetadataOfEqualContents) {
    restore(into_target());
    set_mode(target_ / "file", 0777);
    set_mtime(target_ / "file", 5, 5);
    auto const result = restore(into_target());
    EXPECT_EQ(result.bytes_written, 0U);
    EXPECT_EQ(result.files_unchanged, 4U);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

// So the next snapshot need not read it again, and a program goes on having its rights.
TEST_F(Restore, LeavesWhatIsEqualUntouched) {
    set_mode(source_ / "file", 04755);
    saved_ = image_of(source_.path());
    auto const taken = repo_.save(source_.path());
    RestoreRequest request;
    request.from = {*taken.id, taken.snapshot, source_.path().substr(1)};
    request.target = source_.path();
    request.threads = 2;
    auto const before = status_of(source_ / "file");
    for (auto const overwrite : {Overwrite::always, Overwrite::if_changed}) {
        request.overwrite = overwrite;
        auto const result = restore(request);
        EXPECT_EQ(result.files_unchanged, 4U);
        EXPECT_FALSE(result.withheld.any());
        auto const after = status_of(source_ / "file");
        EXPECT_EQ(after.st_mode & 07777U, 04755U);
        EXPECT_EQ(after.st_ctim.tv_sec, before.st_ctim.tv_sec);
        EXPECT_EQ(after.st_ctim.tv_nsec, before.st_ctim.tv_nsec);
    }
}

TEST_F(Restore, GivesNoRightsToContentsThatItWrote) {
    set_mode(source_ / "file", 04755);
    auto const taken = repo_.save(source_.path());
    write_file(source_ / "file", "exchange!");
    set_mode(source_ / "file", 04755);
    RestoreRequest request;
    request.from = {*taken.id, taken.snapshot, source_.path().substr(1)};
    request.target = source_.path();
    EXPECT_EQ(restore(request).withheld.set_ids, 1U);
    EXPECT_EQ(status_of(source_ / "file").st_mode & 07777U, 0755U);
    EXPECT_EQ(read_file(source_ / "file"), "as it was");
}

TEST_F(Restore, CutsAndExtendsFiles) {
    write_file(target_ / "large", random_bytes(1, 3U << 20U));
    write_file(target_ / "file", "as");
    auto const result = restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
    EXPECT_LT(result.bytes_written, 100'000U);
}

TEST_F(Restore, TakesEqualSizeAndTimeForEqualWhenToldTo) {
    write_file(target_ / "file", "elsewhat!");
    set_mtime(target_ / "file", 1'500'000'000, 42);
    auto request = into_target("/file");
    request.overwrite = Overwrite::if_changed;
    EXPECT_EQ(restore(request).files_unchanged, 1U);
    EXPECT_EQ(read_file(target_ / "file"), "elsewhat!");
    set_mtime(target_ / "file", 1'500'000'000, 43);
    EXPECT_EQ(restore(request).files_restored, 1U);
    EXPECT_EQ(read_file(target_ / "file"), "as it was");
}

TEST_F(Restore, OverwritesOlderFilesOnlyWhenToldTo) {
    auto request = into_target("/file");
    request.overwrite = Overwrite::if_newer;
    write_file(target_ / "file", "newer");
    set_mtime(target_ / "file", 1'500'000'000, 43);
    EXPECT_EQ(restore(request).files_skipped, 1U);
    EXPECT_EQ(read_file(target_ / "file"), "newer");
    set_mtime(target_ / "file", 1'500'000'000, 41);
    EXPECT_EQ(restore(request).files_restored, 1U);
    EXPECT_EQ(read_file(target_ / "file"), "as it was");
}

TEST_F(Restore, KeepsWhatIsNewerAndOfAnotherKindWhenToldTo) {
    write_file(target_ / "link", "newer");
    write_file(target_ / "folder", "newer");
    make_folder(target_ / "file");
    write_file(target_ / "file/newer", "newer");
    auto request = into_target();
    request.overwrite = Overwrite::if_newer;
    request.delete_extra = true;
    auto const result = repo_.restore(request);
    ASSERT_EQ(result.failures.size(), 2U);
    EXPECT_EQ(result.failures[0].path, "file");
    EXPECT_EQ(result.failures[1].path, "folder");
    EXPECT_EQ(read_file(target_ / "link"), "newer");
    EXPECT_EQ(read_file(target_ / "folder"), "newer");
    EXPECT_EQ(read_file(target_ / "file/newer"), "newer");
}

TEST_F(Restore, ReplacesWhatIsOlderAndOfAnotherKindWhenToldTo) {
    write_file(target_ / "link", "older");
    write_file(target_ / "folder", "older");
    set_mtime(target_ / "link", 1'000'000'000, 0);
    set_mtime(target_ / "folder", 1'000'000'000, 0);
    auto request = into_target();
    request.overwrite = Overwrite::if_newer;
    restore(request);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

// Whenever it is killed, a file is whole, as it was before, or known to be neither.
TEST_F(Restore, MarksWhatIsNotWrittenToItsEnd) {
    write_file(target_ / "large", std::string(2 * 1024 * 1024, 'o'));
    set_mtime(target_ / "large", 1'000'000'000, 0);
    set_mode(target_ / "large", 0640);  // not what it will have
    auto request = into_target();
    request.overwrite = Overwrite::if_newer;
    int looks = 0;
    std::mutex mutex;
    repo_.observe([&](Verb verb, std::string const&) {
        if (verb != Verb::get) return;
        std::lock_guard const lock(mutex);
        for (auto const& file : std::filesystem::recursive_directory_iterator(target_.path())) {
            struct stat there {};
            if (::lstat(file.path().c_str(), &there) != 0 || !S_ISREG(there.st_mode)) continue;
            if (is_unfinished(there)) continue;
            auto const name = file.path().lexically_relative(target_.path()).string();
            std::string const is = read_file(file.path());
            struct stat after {};
            bool const is_known = ::lstat(file.path().c_str(), &after) == 0;
            if (!is_known || after.st_mode != there.st_mode) continue;  // begun meanwhile
            EXPECT_TRUE(is == read_file(source_ / name) || is == std::string(is.size(), 'o'))
                << name;
            ++looks;
        }
    });
    restore(request);
    repo_.observe_nothing();
    EXPECT_GT(looks, 0);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

TEST_F(Restore, KeepsNothingThatARestoreLeftUnfinished) {
    for (auto const overwrite : {Overwrite::never, Overwrite::if_newer}) {
        for (auto const* const name : {"file", "large"}) {
            write_file(target_ / name, "half");
            set_mode(target_ / name, unfinished_mode);
        }
        auto request = into_target();
        request.overwrite = overwrite;
        EXPECT_EQ(restore(request).files_skipped, overwrite == Overwrite::never ? 0U : 2U);
        EXPECT_EQ(image_of(target_.path()), saved_);
    }
}

TEST_F(Restore, NamesAFolderOnceThatItMayNotUse) {
    write_file(target_ / "folder", "mine");
    auto request = into_target();
    request.include.add("*.bin");
    request.include.add("*.txt");
    request.include.add("/large");
    request.overwrite = Overwrite::never;
    request.delete_extra = true;
    auto const result = repo_.restore(request);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].path, "folder");
    EXPECT_EQ(result.directories, 1U);
    EXPECT_EQ(result.files, 1U);
    EXPECT_EQ(restored_names(), (Names{"folder", "large"}));
}

TEST_F(Restore, NeverOverwritesWhenToldTo) {
    auto request = into_target();
    request.overwrite = Overwrite::never;
    write_file(target_ / "file", "mine");
    make_symlink(target_ / "link", "mine too");
    auto const result = restore(request);
    EXPECT_EQ(result.files_skipped, 1U);
    EXPECT_EQ(result.files_restored, 3U);
    EXPECT_EQ(read_file(target_ / "file"), "mine");
    EXPECT_EQ(std::filesystem::read_symlink(target_ / "link"), "mine too");
}

TEST_F(Restore, DeletesWhatTheSnapshotHasNot) {
    make_folder(target_ / "extra/deep");
    make_folder(target_ / "folder");
    write_file(target_ / "extra/deep/file", "x");
    write_file(target_ / "folder/extra", "x");
    write_file(target_ / "kept.log", "x");
    auto request = into_target();
    restore(request);
    EXPECT_TRUE(std::filesystem::exists(target_ / "extra/deep/file"));
    request.delete_extra = true;
    request.exclude.add("*.log");
    auto const result = restore(request);
    TreeImage image = image_of(target_.path());
    EXPECT_EQ(image.erase("kept.log"), 1U);
    EXPECT_EQ(image, saved_);
    EXPECT_EQ(result.files_deleted, 4U);
}

TEST_F(Restore, DeletesNothingWhereTheSnapshotCannotBeRead) {
    RestoreRequest request = into_target();
    request.from.sub_path = "";
    request.from.snapshot.root.content = {0, {{ChunkId{}, 1}}};
    request.from.snapshot.root.flags = 0;  // it was saved itself
    request.delete_extra = true;
    write_file(target_ / "kept", "who knows whether the snapshot has it");
    auto const result = repo_.restore(request);
    EXPECT_EQ(result.damaged.size(), 1U);
    EXPECT_EQ(result.files_deleted, 0U);
    EXPECT_EQ(read_file(target_ / "kept"), "who knows whether the snapshot has it");
}

TEST_F(Restore, DeletesNothingBesideWhatIsIncluded) {
    restore(into_target());
    write_file(target_ / "extra", "x");
    write_file(target_ / "folder/extra", "x");
    auto request = into_target();
    request.include.add("/folder/**");
    request.delete_extra = true;
    restore(request);
    EXPECT_TRUE(std::filesystem::exists(target_ / "extra"));
    EXPECT_FALSE(std::filesystem::exists(target_ / "folder/extra"));
}

TEST_F(Restore, DeletesNothingBesideTheSavedPaths) {
    auto request = into_target();
    request.from.sub_path = "";
    request.delete_extra = true;
    std::string const saved = target_ / source_.path().substr(1);
    std::string const beside = std::filesystem::path(saved).parent_path().string() + "/beside";
    restore(request);
    write_tree(target_.path(), {"beside"});
    write_file(beside, "mine");
    write_file(saved + "/extra", "x");
    EXPECT_EQ(restore(request).files_deleted, 1U);
    EXPECT_TRUE(std::filesystem::exists(target_ / "beside"));
    EXPECT_EQ(read_file(beside), "mine");
    EXPECT_EQ(image_of(saved), saved_);
}

TEST_F(Restore, DeletesNothingThatIsStillNeeded) {
    write_tree(target_.path(), {"extra/repository/config", "extra/other", "gone/file"});
    write_tree(target_.path(), {"folder/key"});
    make_symlink(target_ / "way", "extra");
    auto request = into_target();
    request.delete_extra = true;
    request.never_deleted = {target_ / "way/repository", target_ / "folder/key", "/no/such/thing",
                             "", "s3:somewhere"};
    for (bool const dry_run : {true, false}) {
        request.dry_run = dry_run;
        auto const result = repo_.restore(request);
        std::set<std::string> kept;
        for (auto const& failure : result.failures) kept.insert(failure.path);
        EXPECT_EQ(kept, (std::set<std::string>{"extra", "folder/key"}));
        EXPECT_EQ(result.files_deleted, 3U);
        EXPECT_EQ(std::filesystem::exists(target_ / "gone"), dry_run);
    }
    EXPECT_TRUE(std::filesystem::exists(target_ / "extra/repository/config"));
    EXPECT_TRUE(std::filesystem::exists(target_ / "extra/other"));
    EXPECT_TRUE(std::filesystem::exists(target_ / "folder/key"));
    request.never_deleted[0] = target_ / "extra/repository";  // by the link it is not found now
    request.exclude.add("/extra");
    request.exclude.add("/folder/key");
    restore(request);
}

TEST_F(Restore, DeletesNothingWithinWhatIsStillNeeded) {
    restore(into_target());
    write_file(target_ / "folder/extra", "x");
    auto request = into_target();
    request.delete_extra = true;
    request.never_deleted = {target_.path()};
    auto const result = repo_.restore(request);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(result.failures[0].path, "folder");
    EXPECT_EQ(read_file(target_ / "folder/extra"), "x");
}

TEST_F(Restore, ReplacesNothingThatIsStillNeeded) {
    write_tree(target_.path(), {"file/repository/config"});
    auto request = into_target();
    request.delete_extra = true;
    request.never_deleted = {target_ / "file/repository"};
    auto const result = repo_.restore(request);
    ASSERT_FALSE(result.failures.empty());
    EXPECT_EQ(result.failures[0].path, "file");
    EXPECT_TRUE(std::filesystem::exists(target_ / "file/repository/config"));
}

// An ACL's mask stands in the group's bits: unpacked without ACLs it would be the whole group's.
TEST_F(Restore, ATarGivesTheGroupNoMoreThanTheAclDoes) {
    std::string acl("\2\0\0\0", 4);
    auto const add = [&](char tag, char rights, std::string const& of) {
        acl += std::string{tag, '\0', rights, '\0'} + of;
    };
    std::string const nobody(4, '\xff');
    add(0x01, 6, nobody);
    add(0x02, 6, std::string("\1\0\0\0", 4));
    add(0x04, 4, nobody);  // the owning group
    add(0x10, 6, nobody);  // the mask
    add(0x20, 0, nobody);
    if (::setxattr((source_ / "file").c_str(), "system.posix_acl_access", acl.data(), acl.size(),
                   0) != 0) {
        GTEST_SKIP() << "no ACLs here: " << std::strerror(errno);
    }
    auto const taken = repo_.save(source_.path());
    std::string const tar = repo_.tar_of(taken.snapshot, source_ / "file");
    EXPECT_TRUE(contains(tar, std::string("0000640\0", 8)));
    EXPECT_FALSE(contains(tar, std::string("0000660\0", 8)));
}

// A program may have mapped what is there; and what cannot be had back takes nothing away.
TEST_F(Restore, MakesSmallFilesAndLibrariesAnew) {
    restore(into_target());
    std::string const library =
        "\x7f"
        "ELF" +
        random_bytes(7, 2U << 20U);
    write_file(target_ / "large", library);
    write_file(target_ / "file", "newer");
    std::map<std::string, int> before;
    for (auto const* name : {"/large", "/file"}) {
        before[name] = ::open((target_.path() + name).c_str(), O_RDONLY);
    }
    restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
    for (auto const& [name, fd] : before) {
        std::string kept(name == "/file" ? 5 : library.size(), '\0');
        EXPECT_EQ(::pread(fd, kept.data(), kept.size(), 0), static_cast<ssize_t>(kept.size()));
        EXPECT_TRUE(kept == (name == "/file" ? "newer" : library)) << name;
        ::close(fd);
    }
}

TEST_F(Restore, RemovesNoFileForAFolderOnTheWay) {
    make_folder(target_.path());
    write_file(target_ / "folder", "mine");
    auto request = into_target();
    request.include.add("leaf.txt");
    auto const result = repo_.restore(request);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_EQ(read_file(target_ / "folder"), "mine");
}

// The repository, and the key that opens it.
TEST_F(Restore, LeavesAsItIsWhatIsInUse) {
    write_tree(target_.path(), {"folder/inner/config"});
    write_file(target_ / "file", "another key");
    write_file(target_ / "folder/other.bin", "other");
    auto request = into_target();
    request.never_written = {target_ / "folder/inner", target_ / "file",
                             target_ / "folder/other.bin"};
    for (bool const dry_run : {true, false}) {
        request.dry_run = dry_run;
        auto const result = repo_.restore(request);
        std::set<std::string> left;
        for (auto const& failure : result.failures) left.insert(failure.path);
        EXPECT_EQ(left, (std::set<std::string>{"file", "folder/inner"}));
    }
    EXPECT_EQ(read_file(target_ / "file"), "another key");
    EXPECT_FALSE(std::filesystem::exists(target_ / "folder/inner/leaf.txt"));
    EXPECT_TRUE(std::filesystem::exists(target_ / "large"));
}

TEST_F(Restore, IsNotIntoWhatIsInUse) {
    auto request = into_target();
    request.never_written = {target_.path()};
    for (auto const* beneath : {"", "/new", "/new/deeper"}) {
        request.target = target_.path() + beneath;
        EXPECT_THROW(repo_.restore(request), SourceError);
    }
    EXPECT_EQ(restored_names(), Names{});
    request.never_written = {target_ / "new"};
    request.target = target_ / "beside";
    restore(request);
}

TEST_F(Restore, KeepsWhatIsExcludedHoweverDeep) {
    write_tree(target_.path(), {"extra/a/b/keep.log", "extra/a/c/x", "extra/y", "extra/z/x"});
    auto request = into_target();
    request.delete_extra = true;
    request.exclude.add("*.log");
    request.dry_run = true;
    EXPECT_EQ(restore(request).files_deleted, 5U);
    request.dry_run = false;
    EXPECT_EQ(restore(request).files_deleted, 5U);
    EXPECT_TRUE(std::filesystem::exists(target_ / "extra/a/b/keep.log"));
    EXPECT_EQ(restored_names(), (Names{"extra", "extra/a", "extra/a/b", "extra/a/b/keep.log",
                                       "file", "folder", "folder/inner", "folder/inner/leaf.txt",
                                       "folder/other.bin", "large", "link"}));
}

TEST_F(Restore, RefusesToDeleteAtTheRoot) {
    auto request = into_target();
    request.target = "/";
    request.delete_extra = true;
    request.dry_run = true;  // whatever this test finds
    EXPECT_THROW(repo_.restore(request), SourceError);
    for (auto const* other : {"//", "/.", "/tmp/..", "/./"}) {
        request.target = other;
        EXPECT_THROW(repo_.restore(request), SourceError) << other;
    }
}

TEST_F(Restore, VerifiesWhatItWrote) {
    auto request = into_target();
    request.verify = true;
    EXPECT_EQ(restore(request).files_verified, 4U);
}

TEST_F(Restore, DryRunChangesNothing) {
    write_file(target_ / "file", "mine");
    write_file(target_ / "extra", "mine");
    TreeImage const before = image_of(target_.path());
    auto request = into_target();
    request.dry_run = true;
    request.delete_extra = true;
    auto const result = restore(request);
    EXPECT_EQ(image_of(target_.path()), before);
    EXPECT_EQ(result.files, 4U);
    EXPECT_EQ(result.files_restored, 4U);
    EXPECT_EQ(result.files_deleted, 1U);
    EXPECT_EQ(result.bytes_written, 0U);
}

TEST_F(Restore, DryRunDoesNotMakeTheTarget) {
    auto request = into_target();
    request.target = target_ / "new";
    request.dry_run = true;
    EXPECT_EQ(restore(request).files_restored, 4U);
    EXPECT_FALSE(std::filesystem::exists(target_ / "new"));
}

TEST_F(Restore, LeavesHolesWhenToldTo) {
    write_file(source_ / "zeros", std::string(4U << 20U, '\0') + "end");
    repo_.save(source_.path());
    auto request = into_target("/zeros");
    request.sparse = true;
    request.verify = true;
    restore(request);
    struct stat status {};
    ASSERT_EQ(::stat((target_ / "zeros").c_str(), &status), 0);
    EXPECT_LT(status.st_blocks * 512, 2 << 20);
    EXPECT_EQ(read_file(target_ / "zeros"), read_file(source_ / "zeros"));
}

TEST_F(Restore, ClearsOldContentsWhereTheSnapshotHasZeros) {
    write_file(source_ / "zeros", std::string(300'000, '\0'));
    repo_.save(source_.path());
    write_file(target_ / "zeros", std::string(300'000, 'x'));
    auto request = into_target("/zeros");
    request.sparse = true;
    restore(request);
    EXPECT_EQ(read_file(target_ / "zeros"), std::string(300'000, '\0'));
}

// A folder outside of the target that no restore may touch.
class RestoreCanary : public Restore {
protected:
    void SetUp() override {
        Restore::SetUp();
        make_folder(outside_ / "folder/inner");
        write_file(outside_ / "file", "canary");
        write_file(outside_ / "folder/other.bin", "canary");
        set_mtime(outside_ / "folder", 5, 5);
        before_ = image_of(outside_.path());
    }
    void TearDown() override { EXPECT_EQ(image_of(outside_.path()), before_); }

    TempFolder outside_;
    TreeImage before_;
};

TEST_F(RestoreCanary, FollowsNoLinkAtAFilesPlace) {
    make_symlink(target_ / "file", outside_ / "file");
    make_symlink(target_ / "large", outside_ / "new");
    restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
}

// Nor is it replaced: who has moved a folder to another disk wants to hear of it.
TEST_F(RestoreCanary, FollowsNoLinkAtAFoldersPlace) {
    make_symlink(target_ / "folder", outside_ / "folder");
    auto request = into_target();
    for (bool const dry_run : {true, false}) {
        request.dry_run = dry_run;
        auto const result = repo_.restore(request);
        ASSERT_EQ(result.failures.size(), 1U);
        EXPECT_TRUE(contains(result.failures[0].message, "--delete removes it"));
        EXPECT_TRUE(std::filesystem::is_symlink(target_ / "folder"));
    }
    EXPECT_EQ(without(image_of(target_.path()), "folder"), without(saved_, "folder"));
}

// What lies beside the saved paths is not the snapshot's, so the way there is not replaced at all.
TEST_F(RestoreCanary, LeavesALinkAboveWhatWasSaved) {
    auto request = into_target();
    request.from.sub_path = "";
    request.delete_extra = true;
    auto const above = source_.path().substr(1, source_.path().find('/', 1) - 1);
    make_symlink(target_ / above, outside_.path());
    auto const result = repo_.restore(request);
    ASSERT_EQ(result.failures.size(), 1U);
    EXPECT_TRUE(contains(result.failures[0].message, "above what was saved"));
    EXPECT_TRUE(std::filesystem::is_symlink(target_ / above));
}

TEST_F(RestoreCanary, FollowsNoLinkWhenItDeletes) {
    make_symlink(target_ / "extra", outside_.path());
    make_symlink(target_ / "folder", outside_ / "folder");
    auto request = into_target();
    request.delete_extra = true;
    restore(request);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

TEST_F(RestoreCanary, FollowsNoLinkAtAFoldersPlaceThatItMayNotReplace) {
    make_symlink(target_ / "folder", outside_ / "folder");
    auto request = into_target();
    request.overwrite = Overwrite::never;
    auto const result = repo_.restore(request);
    EXPECT_FALSE(result.failures.empty());
    EXPECT_TRUE(std::filesystem::is_symlink(target_ / "folder"));
}

TEST_F(RestoreCanary, DoesNotWriteThroughAHardLink) {
    ASSERT_EQ(::link((outside_ / "file").c_str(), (target_ / "file").c_str()), 0);
    before_ = image_of(outside_.path());
    restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
}

TEST_F(RestoreCanary, DoesNotChangeMetadataThroughAHardLink) {
    write_file(outside_ / "file", "as it was");
    ASSERT_EQ(::link((outside_ / "file").c_str(), (target_ / "file").c_str()), 0);
    set_mtime(outside_ / "file", 1'500'000'000, 42);
    before_ = image_of(outside_.path());
    auto request = into_target("/file");
    request.overwrite = Overwrite::if_changed;  // the contents look equal; the mode differs
    restore(request);
}

TEST_F(RestoreCanary, DoesNotChangeAttributesThroughAHardLink) {
    auto request = into_target("/file");
    restore(request);
    ASSERT_EQ(::link((target_ / "file").c_str(), (outside_ / "other").c_str()), 0);
    bool const has_attributes =
        ::setxattr((outside_ / "other").c_str(), "user.own", "1", 1, 0) == 0;
    if (!has_attributes) GTEST_SKIP() << "no attributes here";
    before_ = image_of(outside_.path());
    request.overwrite = Overwrite::if_changed;
    restore(request);
}

TEST_F(Restore, ReplacesAFolderByAFileOnlyWhenItMayDelete) {
    make_folder(target_ / "file");
    write_file(target_ / "file/inside", "x");
    auto request = into_target();
    auto const kept = repo_.restore(request);
    ASSERT_EQ(kept.failures.size(), 1U);
    EXPECT_EQ(kept.failures[0].path, "file");
    EXPECT_TRUE(std::filesystem::exists(target_ / "file/inside"));
    request.delete_extra = true;
    restore(request);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

TEST_F(Restore, ReplacesAFileByAFolder) {
    write_file(target_ / "folder", "x");
    restore(into_target());
    EXPECT_EQ(image_of(target_.path()), saved_);
}

TEST_F(Restore, LeavesNoFileOfWrongBytesBehind) {
    for (auto const& name : repo_.objects("packs/")) {
        Bytes const sound = repo_.store().objects().at(name);
        Bytes damaged = sound;
        for (std::size_t at = 1000; at + 8000 < damaged.size(); at += 8000)
            damaged[at] ^= std::byte{1};
        repo_.store().remove(name);
        repo_.put(name, damaged);
        repo_.reopen_elsewhere();
        TempFolder const target;
        auto request = into_target();
        request.target = target.path();
        auto const result = repo_.restore(request);
        for (auto const& [path, what] : image_of(target.path()))
            EXPECT_EQ(what, saved_[path]) << path;
        EXPECT_EQ(result.damaged.empty(), damaged == sound) << name;
        repo_.store().remove(name);
        repo_.put(name, sound);
    }
}

class RestoreOfDamage : public Restore {
protected:
    void restore_large() {
        for (auto const& pack : repo_.objects("packs/")) {
            Bytes bytes = repo_.store().objects().at(pack);
            for (std::size_t at = 5000; at + 5000 < bytes.size(); at += 1000)
                bytes[at] ^= std::byte{1};
            repo_.store().remove(pack);
            repo_.put(pack, bytes);
        }
        auto request = into_target();
        request.include.add("/large");
        EXPECT_EQ(repo_.restore(request).damaged.size(), 1U);
    }
};

// It may be all that is left: it goes when the new one is complete.
TEST_F(RestoreOfDamage, KeepsAFileOfSeveralNamesWhoseContentsCannotBeRead) {
    write_file(target_ / "large", "what was there");
    std::filesystem::create_hard_link(target_ / "large", target_ / "second");
    restore_large();
    EXPECT_EQ(read_file(target_ / "large"), "what was there");
    EXPECT_EQ(restored_names(), (Names{"large", "second"}));
}

TEST_F(RestoreOfDamage, KeepsALinkInThePlaceOfAFileThatCannotBeRead) {
    make_symlink(target_ / "large", "where it is now");
    restore_large();
    EXPECT_EQ(std::filesystem::read_symlink(target_ / "large"), "where it is now");
    EXPECT_EQ(restored_names(), (Names{"large"}));
}

// A program that runs is as it was until its new contents take its place.
TEST_F(Restore, ReplacesAProgramThatRuns) {
    std::filesystem::copy_file("/bin/sleep", target_ / "file");
    set_mode(target_ / "file", 0755);
    std::string const program = target_ / "file";
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);  // closed once it runs
    pid_t const child = ::fork();
    if (child == 0) {
        ::execl(program.c_str(), program.c_str(), "1000", nullptr);
        ::_exit(1);
    }
    Fd const read_end(ends[0]);
    ::close(ends[1]);
    char nothing = 0;
    ASSERT_EQ(::read(read_end.get(), &nothing, 1), 0);
    EXPECT_EQ(restore(into_target()).files_restored, 4U);
    EXPECT_EQ(image_of(target_.path()), saved_);
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

TEST_F(Restore, TouchesNoLinkOrSpecialFileThatIsEqual) {
    ASSERT_EQ(::mkfifo((source_ / "pipe").c_str(), 0600), 0);
    repo_.save(source_.path());
    restore(into_target());
    auto const before = std::vector{status_of(target_ / "link"), status_of(target_ / "pipe")};
    restore(into_target());
    auto const after = std::vector{status_of(target_ / "link"), status_of(target_ / "pipe")};
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(after[i].st_ino, before[i].st_ino);
        EXPECT_EQ(after[i].st_ctim.tv_nsec, before[i].st_ctim.tv_nsec);
    }
    std::filesystem::remove(target_ / "link");
    make_symlink(target_ / "link", "elsewhere");
    restore(into_target());
    EXPECT_EQ(image_of(target_.path()), image_of(source_.path()));
}

// Also by a dry run.
TEST_F(Restore, TellsOfAllThatALinkTakesThePlaceOf) {
    write_tree(target_.path(), {"link/a", "link/deep/b"});
    auto request = into_target();
    EXPECT_EQ(repo_.restore(request).failures.size(), 1U);
    request.dry_run = true;
    EXPECT_EQ(repo_.restore(request).failures.size(), 1U);
    request.delete_extra = true;
    EXPECT_EQ(restore(request).files_deleted, 4U);
    EXPECT_EQ(read_file(target_ / "link/deep/b"), "link/deep/b");
    request.dry_run = false;
    EXPECT_EQ(restore(request).files_deleted, 4U);
    EXPECT_EQ(image_of(target_.path()), saved_);
}

// A part of it stays: then all of it does.
TEST_F(Restore, ClearsNoWayInPart) {
    write_tree(target_.path(), {"link/go", "link/keep.tmp", "file/go", "file/keep.tmp"});
    auto request = into_target();
    request.delete_extra = true;
    request.exclude.add("*.tmp");
    for (bool const dry_run : {true, false}) {
        request.dry_run = dry_run;
        auto const result = repo_.restore(request);
        EXPECT_EQ(result.failures.size(), 2U);
        EXPECT_EQ(result.files_deleted, 0U);
        EXPECT_EQ(read_file(target_ / "link/go"), "link/go");
        EXPECT_EQ(read_file(target_ / "file/go"), "file/go");
    }
}

// What is kept under the first name is another link.
TEST_F(Restore, NamesNoLinkThatItKept) {
    ASSERT_EQ(::link((source_ / "link").c_str(), (source_ / "link2").c_str()), 0);
    repo_.save(source_.path());
    make_symlink(target_ / "link", "elsewhere");
    auto request = into_target();
    request.overwrite = Overwrite::never;
    repo_.restore(request);
    EXPECT_EQ(std::filesystem::read_symlink(target_ / "link"), "elsewhere");
    EXPECT_EQ(std::filesystem::read_symlink(target_ / "link2"), "file");
}

// An attribute that the target cannot hold leaves all else as it should be.
TEST_F(Restore, SetsWhatItCanOfTheMetadata) {
    RestoreRequest const request;
    Metadata metadata(request);
    write_file(target_ / "program", "x");
    Node node;
    node.name = "program";
    node.mode = 0755;
    node.uid = ::geteuid();
    node.gid = ::getegid();
    node.mtime = {1'000'000'000, 5};
    node.xattrs = {{"nonsense.name", Bytes(1)}, {"user.good", Bytes(1)}};
    Fd const file(::open((target_ / "program").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_THROW(metadata.apply("program", file.get(), node), SourceError);
    auto const status = status_of(target_ / "program");
    EXPECT_EQ(status.st_mode & 07777U, 0755U);
    EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000'000);
    EXPECT_EQ(Attributes::of_open(file.get()).read(),
              (std::vector<Xattr>{{"user.good", Bytes(1)}}));
    node.xattrs.push_back({"system.posix_acl_access", Bytes(1)});
    EXPECT_THROW(metadata.apply("program", file.get(), node), SourceError);
    EXPECT_EQ(status_of(target_ / "program").st_mode & 07777U, 0705U);
}

// Its last block is not whole: it can be cut off, and not punched.
TEST_F(Restore, MakesAHoleAtTheEndOnce) {
    write_file(source_ / "sparse", random_bytes(5, 4096));
    std::filesystem::resize_file(source_ / "sparse", 10'000);
    repo_.save(source_.path());
    write_file(target_ / "sparse", random_bytes(6, 10'000));
    restore(into_target());
    EXPECT_EQ(restore(into_target()).files_restored, 0U);
    EXPECT_EQ(image_of(target_.path()), image_of(source_.path()));
}

TEST_F(Restore, StopsWhenToldTo) {
    Progress progress;
    progress.stop = true;
    EXPECT_EQ(failure_of([&] { restore_snapshot(*repo_, into_target(), progress); }),
              RepositoryFailure::interrupted);
}

TEST_F(Restore, DumpsAFileInOrder) {
    Snapshot const snapshot = repo_.find("latest").snapshot;
    EXPECT_EQ(repo_.dumped(snapshot, source_ / "large"), read_file(source_ / "large"));
    EXPECT_EQ(repo_.dumped(snapshot, source_ / "file"), "as it was");
    for (std::string const path : {"folder", "link", "nothing"}) {
        EXPECT_EQ(failure_of([&] { repo_.dumped(snapshot, source_ / path); }),
                  RepositoryFailure::failed)
            << path;
    }
}

TEST(Dump, TarHoldsTheWholeTree) {
    TempFolder const source;
    TempFolder const target;
    write_rich_tree(source.path());
    make_folder(source / std::string(120, 'x'));
    write_file(source / (std::string(120, 'x') + "/" + std::string(120, 'y')), "long path");
    make_symlink(source / "long link", std::string(150, 'z'));
    TestRepo repo;
    auto const taken = repo.save(source.path());
    write_file(target / "tree.tar", repo.tar_of(taken.snapshot, source.path()));
    run_command("tar --warning=no-timestamp -xpf '" + target / "tree.tar" + "' -C '" +
                target.path() + "'");
    std::string const top = source.path().substr(source.path().rfind('/') + 1);
    EXPECT_EQ(image_of(target / top), image_of(source.path()));
}

TEST(Dump, TarHoldsAttributesOfAnyName) {
    TempFolder const source;
    TempFolder const target;
    write_file(source / "file", "x");
    std::vector<std::string> const names{"user.a=b", "user.100%", "user.%3D"};
    for (auto const& name : names) {
        if (::setxattr((source / "file").c_str(), name.c_str(), name.data(), name.size(), 0) != 0)
            GTEST_SKIP() << "no attributes here: " << std::strerror(errno);
    }
    TestRepo repo;
    auto const taken = repo.save(source.path());
    write_file(target / "tree.tar", repo.tar_of(taken.snapshot, source / "file"));
    run_command("tar --xattrs -xf '" + target / "tree.tar" + "' -C '" + target.path() + "'");
    for (auto const& name : names) {
        std::string value(name.size(), '\0');
        ::getxattr((target / "file").c_str(), name.c_str(), value.data(), value.size());
        EXPECT_EQ(value, name);
    }
}

TEST(Dump, TarHoldsLongNamesOfOwners) {
    HostileRepo repo;
    Node file = repo.file("file");
    file.user = std::string(40, 'u');
    file.group = std::string(50, 'g');
    repo.publish({file});
    TempFolder const target;
    write_file(target / "tree.tar", repo->tar_of(repo->find("latest").snapshot));
    std::string const listed = run_command("tar -tvf '" + target / "tree.tar" + "'");
    EXPECT_TRUE(contains(listed, file.user + "/" + file.group)) << listed;
}

TEST(Dump, TarOfTheRootHasNoLeadingSlash) {
    TestRepo repo;
    auto request = saving({});
    request.streams.push_back(stream("one", "first"));
    request.streams.push_back(stream("two", ""));
    auto const taken = repo.take(std::move(request));
    TempFolder const target;
    write_file(target / "tree.tar", repo.tar_of(taken.snapshot));
    EXPECT_EQ(run_command("tar -tf '" + target / "tree.tar" + "'"), "./\none\ntwo\n");
    EXPECT_EQ(run_command("tar -xOf '" + target / "tree.tar" + "' one"), "first");
}

}  // namespace
}  // namespace coffre
