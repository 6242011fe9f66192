#include "engine/snapshot.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <filesystem>
#include <latch>

#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/snapshot/directory_builder.h"
#include "engine/snapshot/source_node.h"
#include "engine/snapshot/split.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;

// Every path beneath `path` of the snapshot, relative to it.
Names names_in(TestRepo& repo, Snapshot const& snapshot, std::string const& path) {
    Names names;
    walk_snapshot(*repo, snapshot, path, [&](std::string const& at, Node const&) {
        if (at != path) names.push_back(at.substr(path.size() + 1));
        return true;
    });
    return names;
}

class SnapshotInMode : public testing::TestWithParam<Mode> {};
INSTANTIATE_TEST_SUITE_P(Modes, SnapshotInMode, testing::Values(Mode::none, Mode::encrypted));

TEST_P(SnapshotInMode, BringsBackARichTreeExactly) {
    TempFolder const source;
    write_rich_tree(source.path());
    TestRepo repo(GetParam());
    auto const taken = repo.save(source.path());
    EXPECT_EQ(taken.snapshot.failure_count, 0U);
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
    repo.reopen_elsewhere();
    EXPECT_EQ(repo.restored(repo.find("latest").snapshot, source.path()), image_of(source.path()));
}

TEST(Snapshot, NeitherReadsNorStoresWhatIsUnchanged) {
    TempFolder const source;
    write_rich_tree(source.path());
    TestRepo repo;
    auto const first = repo.save(source.path());
    repo.settle(first);
    auto const second = repo.save(source.path());
    EXPECT_EQ(second.snapshot.parent, first.id);
    EXPECT_EQ(second.snapshot.statistics.bytes_read, 0U);
    EXPECT_EQ(second.snapshot.statistics.files_unmodified, second.snapshot.statistics.files);
    EXPECT_EQ(second.snapshot.statistics.files, first.snapshot.statistics.files);
    EXPECT_EQ(second.snapshot.statistics.bytes, first.snapshot.statistics.bytes);
    EXPECT_LT(second.snapshot.statistics.bytes_added, 10'000U);
    EXPECT_EQ(repo.restored(second.snapshot, source.path()), image_of(source.path()));
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

TEST(Snapshot, ReadsAFileAgainThatIsYoungerThanTheParent) {
    TempFolder const source;
    write_file(source / "young", random_bytes(3, 100'000));
    TestRepo repo;
    repo.move_start(repo.save(source.path()), -10);
    auto const second = repo.save(source.path());
    EXPECT_EQ(second.snapshot.statistics.bytes_read, 100'000U);
    EXPECT_EQ(second.snapshot.statistics.files_unmodified, 0U);
    EXPECT_EQ(second.snapshot.statistics.files_changed, 1U);
    EXPECT_LT(second.snapshot.statistics.bytes_added, 10'000U);
}

TEST(Snapshot, StoresLittleForAChangedByte) {
    TempFolder const source;
    std::string content = random_bytes(4, 3U << 20U);
    write_file(source / "file", content);
    TestRepo repo(Mode::none, {4096, 16384, 65536});
    repo.settle(repo.save(source.path()));
    content[1U << 20U] ^= 1;
    write_file(source / "file", content);
    auto const second = repo.save(source.path());
    EXPECT_EQ(second.snapshot.statistics.bytes_read, content.size());
    EXPECT_LT(second.snapshot.statistics.bytes_added, 500'000U);
    EXPECT_EQ(repo.dumped(second.snapshot, source / "file"), content);
}

TEST(Snapshot, StoresEqualContentsOnce) {
    TempFolder const source;
    write_file(source / "a", random_bytes(5, 500'000));
    write_file(source / "b", random_bytes(5, 500'000));
    TestRepo repo;
    auto const taken = repo.save(source.path());
    EXPECT_EQ(taken.snapshot.statistics.bytes, 1'000'000U);
    EXPECT_LT(taken.snapshot.statistics.bytes_added, 510'000U);
    EXPECT_GT(taken.snapshot.statistics.chunks_reused, 0U);
}

TEST(Snapshot, CountsWhatItDid) {
    TempFolder const source;
    write_file(source / "full", compressible_text(6, 100'000));
    write_file(source / "empty", "");
    make_folder(source / "folder");
    make_symlink(source / "link", "full");
    TestRepo repo;
    Statistics const s = repo.save(source.path()).snapshot.statistics;
    auto const above = std::count(source.path().begin(), source.path().end(), '/');
    EXPECT_EQ(s.files, 2U);
    EXPECT_EQ(s.files_new, 2U);
    EXPECT_EQ(s.files_changed, 0U);
    EXPECT_EQ(s.directories, static_cast<std::uint64_t>(above) + 1);
    EXPECT_EQ(s.others, 1U);
    EXPECT_EQ(s.bytes, 100'000U);
    EXPECT_EQ(s.bytes_read, 100'000U);
    EXPECT_GT(s.bytes_added, 100'000U);
    EXPECT_LT(s.bytes_stored, 50'000U);
    EXPECT_GT(s.bytes_stored, 0U);
    EXPECT_GT(s.chunks_new, 2U);
}

TEST(Snapshot, SaysWhatItShows) {
    TempFolder const source;
    write_file(source / "file", "x");
    TestRepo repo;
    auto request = saving({source.path()});
    request.tags = {"b", "a", "b"};
    request.time_ns = 1'700'000'000'000'000'000;
    request.point = {{"db", "up"}};
    request.streams.push_back(stream("dump.sql", "select"));
    auto const taken = repo.take(std::move(request));
    Snapshot const found = repo.find(taken.id->hex()).snapshot;
    EXPECT_EQ(found, taken.snapshot);
    EXPECT_EQ(found.tags, (Names{"a", "b"}));
    EXPECT_EQ(found.paths, Names{source.path()});
    EXPECT_EQ(found.streams, Names{"dump.sql"});
    EXPECT_EQ(found.host, "test-host");
    EXPECT_EQ(found.time_ns, 1'700'000'000'000'000'000);
    EXPECT_EQ(found.point, (PointSection{{"db", "up"}}));
    EXPECT_LE(found.started_ns, found.finished_ns);
}

TEST(Snapshot, ReusesMostOfALargeDirectory) {
    // Where it is cut depends on the repository's random keys: with 6,000 entries a new one touches
    // less than half of them for all but one key in 10,000.
    TempFolder const source;
    for (int i = 0; i < 6000; ++i) write_file(source / ("entry " + std::to_string(i)), "");
    TestRepo repo;
    auto const first = repo.save(source.path());
    repo.settle(first);
    write_file(source / "entry 3000b", "");
    auto const second = repo.save(source.path());
    EXPECT_GT(first.snapshot.statistics.chunks_new, 6U);
    EXPECT_LT(second.snapshot.statistics.bytes_added, first.snapshot.statistics.bytes_added / 2);
    EXPECT_EQ(second.snapshot.statistics.files_unmodified, 6000U);
    EXPECT_EQ(names_in(repo, second.snapshot, source.path()).size(), 6001U);
    EXPECT_EQ(repo.errors(), Names{});
}

TEST(Snapshot, LeavesOutWhatPatternsName) {
    TempFolder const source;
    write_tree(source.path(), {"a.tmp", "b.txt", "cache/x/one", "cache/keep", "deep/q/w/skip.o",
                               "deep/q/w/take.c", "logs/1", "logs/2"});
    TestRepo repo;
    auto request = saving({source.path()});
    for (auto const& pattern :
         {std::string("*.tmp"), std::string("deep/**/*.o"), source / "cache/**",
          "!" + source / "cache/keep", std::string("logs")}) {
        request.exclude.patterns.add(pattern);
    }
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(
        names_in(repo, taken.snapshot, source.path()),
        (Names{"b.txt", "cache", "cache/keep", "deep", "deep/q", "deep/q/w", "deep/q/w/take.c"}));
}

TEST(Snapshot, SavesAPathThatIsNamedAlthoughAPatternNamesItToo) {
    TempFolder const source;
    write_tree(source.path(), {"one/file", "two/file"});
    TestRepo repo;
    auto request = saving({source / "one"});
    request.exclude.patterns.add("one");
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()), (Names{"one", "one/file"}));
}

TEST(Snapshot, KeepsOnlyTheTagOfAMarkedFolder) {
    TempFolder const source;
    write_tree(source.path(), {"real/x", "false/x", "marked/x", "kept/x", "scratch/x"});
    write_file(source / "real/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n");
    write_file(source / "false/CACHEDIR.TAG", "Signature: something else\n");
    write_file(source / "marked/.nobackup", "");
    write_file(source / "scratch/TAG", "scratch: yes\n");
    write_file(source / "kept/TAG", "scratch: no\n");
    TestRepo repo;
    auto request = saving({source.path()});
    request.exclude.tags = {FolderTag::of_caches(), {"TAG", "scratch: yes"}, {".nobackup", ""}};
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(
        names_in(repo, taken.snapshot, source.path()),
        (Names{"false", "false/CACHEDIR.TAG", "false/x", "kept", "kept/TAG", "kept/x", "marked",
               "marked/.nobackup", "real", "real/CACHEDIR.TAG", "scratch", "scratch/TAG"}));
    EXPECT_EQ(taken.snapshot.failure_count, 0U);
    Names partial;
    walk_snapshot(*repo, taken.snapshot, source.path(), [&](std::string const&, Node const& node) {
        if ((node.flags & node_flags::partial) != 0) partial.push_back(node.name);
        return true;
    });
    EXPECT_EQ(partial, (Names{"marked", "real", "scratch"}));
}

TEST(Snapshot, SavesANamedFolderWhateverItsTag) {
    TempFolder const source;
    write_tree(source.path(), {"marked/x", "marked/beneath/y"});
    for (auto const* folder : {"", "/marked", "/marked/beneath"}) {
        write_file(source.path() + folder + "/.nobackup", "");
    }
    TestRepo repo;
    auto request = saving({source.path(), source / "marked/beneath"});
    request.exclude.tags = {{".nobackup", ""}};
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()),
              (Names{".nobackup", "marked", "marked/.nobackup", "marked/beneath",
                     "marked/beneath/.nobackup", "marked/beneath/y", "marked/x"}));
    EXPECT_EQ(taken.spared, (Names{source.path(), source / "marked", source / "marked/beneath"}));
}

// As restore and diff are told of a folder of which not all is saved.
TEST(Snapshot, MarksTheFolderAboveANamedPathThatFails) {
    TempFolder const source;
    write_tree(source.path(), {"job/a/1", "job/b/2"});
    TestRepo repo;
    auto const is_partial = [&](std::string const& name) {
        auto const taken = repo.take(saving({source / "job/a", source / name}));
        bool partial = false;
        walk_snapshot(*repo, taken.snapshot, "", [&](std::string const& path, Node const& node) {
            if (path == source / "job") partial = (node.flags & node_flags::partial) != 0;
            return true;
        });
        return partial;
    };
    EXPECT_FALSE(is_partial("job/b"));
    EXPECT_TRUE(is_partial("job/gone"));
}

TEST(Snapshot, LeavesOutLargeFilesOnly) {
    TempFolder const source;
    write_file(source / "101", std::string(101, 'x'));
    write_file(source / "100", std::string(100, 'x'));
    make_folder(source / "folder");
    TestRepo repo;
    auto request = saving({source.path()});
    request.exclude.larger_than = 100;
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()), (Names{"100", "folder"}));
}

TEST(Snapshot, SavesSeveralPathsAndNothingBesideThem) {
    TempFolder const source;
    write_tree(source.path(), {"a/1", "a-b/2", "a/b/3", "c", "d/e/4", "d/f/5"});
    TestRepo repo;
    auto const taken = repo.take(saving({source / "d/e/", source / "a", source / "a/b",
                                         source / "c", source / "a-b/../a-b", source / "a"}));
    EXPECT_EQ(taken.snapshot.paths,
              (Names{source / "a", source / "a-b", source / "c", source / "d/e"}));
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()),
              (Names{"a", "a/1", "a/b", "a/b/3", "a-b", "a-b/2", "c", "d", "d/e", "d/e/4"}));
    EXPECT_EQ(repo.errors(), Names{});
}

TEST(Snapshot, NamesAPathThatIsNotThereAndSavesTheRest) {
    TempFolder const source;
    write_tree(source.path(), {"there"});
    TestRepo repo;
    auto const taken = repo.take(saving({source / "gone", source / "there"}));
    ASSERT_EQ(taken.snapshot.failures.size(), 1U);
    EXPECT_EQ(taken.snapshot.failures[0].path, source / "gone");
    EXPECT_EQ(taken.snapshot.failure_count, 1U);
    EXPECT_EQ(repo.find("latest").snapshot.failures, taken.snapshot.failures);
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()), Names{"there"});
}

TEST(Snapshot, NamesAFileThatLiesAboveAPathAndSavesTheRest) {
    TempFolder const source;
    write_tree(source.path(), {"real", "x"});
    TestRepo repo;
    auto const taken = repo.take(saving({source / "x/y", source / "real"}));
    EXPECT_EQ(taken.snapshot.failures,
              (std::vector<SourceFailure>{{source / "x", "is no folder"}}));
    EXPECT_EQ(names_in(repo, taken.snapshot, source.path()), Names{"real"});
    EXPECT_EQ(repo.errors(), Names{});
}

TEST(Snapshot, SavesBeneathAFolderThatTheParentHasAsAFile) {
    TempFolder const source;
    write_tree(source.path(), {"x"});
    TestRepo repo;
    auto const first = repo.save(source.path());
    std::filesystem::remove(source / "x");
    write_tree(source.path(), {"x/y"});
    auto request = saving({source / "x/y"});
    request.parent = ParentChoice::given;
    request.parent_name = first.id->hex();
    auto const second = repo.take(std::move(request));
    EXPECT_EQ(second.snapshot.parent, first.id);
    EXPECT_EQ(names_in(repo, second.snapshot, source.path()), (Names{"x", "x/y"}));
}

TEST(Snapshot, RefusesWhatNoReaderOfItWouldAccept) {
    TempFolder const source;
    write_tree(source.path(), {"file"});
    TestRepo repo;
    auto request = saving({source.path()});
    request.tags = {std::string(70'000, 't')};
    Progress progress;
    auto const take = [&] { take_snapshot(*repo, request, progress); };
    EXPECT_EQ(failure_of(take), RepositoryFailure::failed);
    EXPECT_TRUE(contains(message_of(take), "the snapshot's description: snapshot: tags is 70000"));
    EXPECT_EQ(repo.errors(), Names{});
    request.tags = {std::string(65'536, 't')};
    EXPECT_EQ(repo.find(repo.take(std::move(request)).id->hex()).snapshot.tags[0].size(), 65'536U);
}

TEST(Snapshot, RefusesToSaveNothing) {
    TempFolder const source;
    TestRepo repo;
    EXPECT_THROW(repo.take(saving({source / "gone", source / "gone too"})), SourceError);
    EXPECT_THROW(repo.take(saving({})), SourceError);
    EXPECT_EQ(repo.objects("snapshots/"), Names{});
}

TEST(Snapshot, DryRunStoresNothing) {
    TempFolder const source;
    write_rich_tree(source.path());
    TestRepo repo;
    auto const before = repo.store().objects();
    auto request = saving({source.path()});
    request.dry_run = true;
    auto const dry = repo.take(std::move(request));
    EXPECT_FALSE(dry.id);
    EXPECT_EQ(repo.store().objects(), before);
    auto const real = repo.save(source.path());
    EXPECT_EQ(dry.snapshot.statistics.files, real.snapshot.statistics.files);
    EXPECT_EQ(dry.snapshot.statistics.chunks_new, real.snapshot.statistics.chunks_new);
}

TEST(Snapshot, SkipsWhenNothingChanged) {
    TempFolder const source;
    make_folder(source / "tree");
    write_file(source / "tree/file", "x");
    TestRepo repo;
    auto const skipping = [&] {
        auto request = saving({source / "tree"});
        request.skip_if_unchanged = true;
        return repo.take(std::move(request));
    };
    auto const first = skipping();
    EXPECT_TRUE(first.id);
    EXPECT_FALSE(first.unchanged);
    write_file(source / "beside", "what happens above the path is no change");
    auto const second = skipping();
    EXPECT_TRUE(second.unchanged);
    EXPECT_FALSE(second.id);
    std::size_t const count = repo.ids().size();
    write_file(source / "tree/file", "y");
    auto const third = skipping();
    EXPECT_TRUE(third.id);
    EXPECT_FALSE(third.unchanged);
    EXPECT_EQ(repo.ids().size(), count + 1);
}

TEST(Snapshot, ChoosesTheNewestParentOfTheSameHostAndPaths) {
    TempFolder const source;
    write_tree(source.path(), {"a/1", "b/2"});
    TestRepo repo;
    auto const first = repo.save(source / "a");
    auto const newer = repo.save(source / "a");
    auto elsewhere = saving({source / "a"});
    elsewhere.host = "another-host";
    EXPECT_FALSE(repo.take(std::move(elsewhere)).snapshot.parent);
    EXPECT_FALSE(repo.save(source / "b").snapshot.parent);
    EXPECT_EQ(repo.save(source / "a").snapshot.parent, newer.id);
    auto given = saving({source / "a"});
    given.parent = ParentChoice::given;
    given.parent_name = first.id->hex();
    EXPECT_EQ(repo.take(std::move(given)).snapshot.parent, first.id);
    auto none = saving({source / "a"});
    none.parent = ParentChoice::none;
    auto const full = repo.take(std::move(none));
    EXPECT_FALSE(full.snapshot.parent);
    EXPECT_EQ(full.snapshot.statistics.files_new, 1U);
}

// Else what is whole again would be incomplete until something changes.
TEST(Snapshot, SkipsNothingAfterAnIncompleteOne) {
    TempFolder const source;
    make_folder(source / "moved");
    TestRepo repo;
    auto const skipping = [&] {
        auto request = saving({source / "moved"});
        request.skip_if_unchanged = true;
        return repo.take(std::move(request));
    };
    skipping();
    ASSERT_EQ(::rmdir((source / "moved").c_str()), 0);
    write_file(source / "moved", "is none any more");
    EXPECT_EQ(skipping().snapshot.failure_count, 1U);
    EXPECT_TRUE(skipping().id);
    EXPECT_FALSE(skipping().id);
}

// A folder more in a job is no reason to read all others again.
TEST(Snapshot, ComparesWithTheOneThatHasMostOfThePaths) {
    TempFolder const source;
    write_tree(source.path(), {"media/a/1", "media/a/2", "etc/3", "other/4"});
    TestRepo repo;
    auto const first = repo.save(source / "media");
    auto const new_files = [&](std::vector<std::string> const& paths) {
        auto request = saving(paths);
        request.skip_if_unchanged = true;
        auto const taken = repo.take(std::move(request));
        EXPECT_TRUE(taken.id);
        EXPECT_FALSE(taken.unchanged);
        return taken.snapshot.statistics.files_new;
    };
    EXPECT_EQ(new_files({source / "media", source / "etc"}), 1U);
    EXPECT_EQ(new_files({source / "media/a"}), 0U);
    EXPECT_EQ(new_files({source.path()}), 1U);
    EXPECT_EQ(new_files({source / "other", source / "media"}), 0U);
    // Its own is better than a newer one.
    EXPECT_EQ(repo.save(source / "media").snapshot.parent, first.id);
}

// The kernel sets a file's times at the first such write, and not again before the page is on the
// disk.
void expect_mapped_writes_are_seen(std::string const& folder) {
    std::string const path = folder + "/file";
    write_file(path, std::string(8192, 'a'));
    int const fd = ::open(path.c_str(), O_RDWR);
    ASSERT_GE(fd, 0);
    void* const mapping = ::mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ASSERT_NE(mapping, MAP_FAILED);
    char* const bytes = static_cast<char*>(mapping);
    ::fsync(fd);
    bytes[0] = '1';
    TestRepo repo;
    auto const first = repo.save(folder);
    repo.settle(first);
    bytes[0] = '2';
    auto const second = repo.save(folder);
    EXPECT_EQ(repo.dumped(first.snapshot, path).substr(0, 2), "1a");
    EXPECT_EQ(repo.dumped(second.snapshot, path).substr(0, 2), "2a");
    ::munmap(mapping, 8192);
    ::close(fd);
}

bool is_on_tmpfs(TempFolder const& folder) {
    struct statfs system {};
    return ::statfs(folder.path().c_str(), &system) == 0 && system.f_type == TMPFS_MAGIC;
}

TEST(DiskSnapshot, SeesWhatIsWrittenThroughAMappingLater) {
    TempFolder const source;
    if (is_on_tmpfs(source)) GTEST_SKIP() << "on tmpfs such writes change no times";
    expect_mapped_writes_are_seen(source.path());
}

// Where the kernel says nothing of the pages of the file system beneath.
TEST(DiskSnapshot, SeesWhatIsWrittenThroughAMappingOfAnOverlay) {
    TempFolder const layers;
    if (is_on_tmpfs(layers)) GTEST_SKIP() << "on tmpfs such writes change no times";
    for (auto const* layer : {"/lower", "/upper", "/work", "/merged"})
        make_folder(layers.path() + layer);
    std::string const merged = layers / "merged";
    std::string const options = "lowerdir=" + (layers / "lower") + ",upperdir=" + layers / "upper" +
                                ",workdir=" + layers / "work";
    if (::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) != 0)
        GTEST_SKIP() << "an overlay cannot be mounted here";
    expect_mapped_writes_are_seen(merged);
    ::umount2(merged.c_str(), MNT_DETACH);
}

TEST(Snapshot, MissesWhatAnEmptyFolderHeldUntilThatIsMeant) {
    TempFolder const source;
    write_tree(source.path(), {"media/1", "etc/2"});
    TestRepo repo;
    auto const failures = [&] {
        return repo.take(saving({source / "media", source / "etc"})).snapshot.failures;
    };
    EXPECT_EQ(failures(), std::vector<SourceFailure>{});
    std::filesystem::remove(source / "media/1");
    for (int i = 0; i < 3; ++i) {
        auto const told = failures();
        ASSERT_EQ(told.size(), 1U);
        EXPECT_EQ(told[0].path, source / "media");
    }
    auto meant = saving({source / "media", source / "etc"});
    meant.parent = ParentChoice::none;
    EXPECT_EQ(repo.take(std::move(meant)).snapshot.failures, std::vector<SourceFailure>{});
    EXPECT_EQ(failures(), std::vector<SourceFailure>{});
}

TEST(Snapshot, StopsWhenToldTo) {
    TempFolder const source;
    write_tree(source.path(), {"a/1", "b/2"});
    TestRepo repo;
    Progress progress;
    progress.stop = true;
    auto request = saving({source.path()});
    EXPECT_EQ(failure_of([&] { take_snapshot(*repo, request, progress); }),
              RepositoryFailure::interrupted);
    EXPECT_EQ(repo.ids(), Names{});
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

TEST(Snapshot, ChainsTheSnapshotsOfAMachine) {
    TempFolder const source;
    TestRepo repo;
    auto const first = repo.save(source.path());
    auto const second = repo.save(source.path());
    EXPECT_TRUE(first.snapshot.previous.is_zero());
    EXPECT_EQ(second.snapshot.previous, first.id);
    EXPECT_EQ(second.snapshot.sequence, first.snapshot.sequence + 1);
    EXPECT_EQ(second.snapshot.writer, first.snapshot.writer);
    repo.reopen();
    EXPECT_EQ(repo.save(source.path()).snapshot.previous, second.id);
    repo.reopen_elsewhere();
    auto const other = repo.save(source.path());
    EXPECT_NE(other.snapshot.writer, first.snapshot.writer);
    EXPECT_TRUE(other.snapshot.previous.is_zero());
}

class SnapshotLevel : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Levels, SnapshotLevel, testing::Values(0, 1, 3, 19));

TEST_P(SnapshotLevel, BringsTheSameBack) {
    TempFolder const source;
    write_file(source / "text", compressible_text(7, 400'000));
    write_file(source / "noise", random_bytes(8, 200'000));
    TestRepo repo;
    auto request = saving({source.path()});
    request.compression_level = GetParam();
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(taken.snapshot.statistics.bytes_stored < 400'000, GetParam() != 0);
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
}

TEST(SnapshotChunks, MayBeAsLargeAsTheFormatAllows) {
    TempFolder const source;
    std::string const random = random_bytes(31, 20U << 20U);
    write_file(source / "random", random);
    write_file(source / "zeros", std::string(20U << 20U, '\0'));
    TestRepo repo(Mode::none, {256U << 10U, 1U << 20U, 8U << 20U});
    auto request = saving({source.path()});
    request.streams.push_back(stream("dump", random));
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
    EXPECT_EQ(repo.dumped(taken.snapshot, "/dump"), random);
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

TEST(Splitter, RefusesBuffersThatDoNotHoldTwoOfTheLargestChunks) {
    TestRepo repo;
    auto const make = [&](std::size_t size) {
        Splitter(repo->chunker(), std::make_shared<PagePool>(size), [](Batch const&) {});
    };
    std::size_t const needed = 2 * std::size_t{repo->chunker().sizes().max};
    EXPECT_THROW(make(needed - 1), std::logic_error);
    EXPECT_NO_THROW(make(needed));
}

TEST(Snapshot, TellsOfWhatARestoreLeftUnfinished) {
    TempFolder const source;
    write_file(source / "half", "half");
    set_mode(source / "half", 01600);
    TestRepo repo;
    for (int run = 0; run < 2; ++run) {
        auto const taken = repo.save(source.path());
        ASSERT_EQ(taken.snapshot.failures.size(), 1U);
        EXPECT_EQ(taken.snapshot.failures[0].path, source / "half");
        repo.settle(taken);
    }
}

TEST(SnapshotStreams, AreFilesAtTheRoot) {
    TempFolder const source;
    write_file(source / "file", "x");
    std::string const dump = compressible_text(9, 3U << 20U);
    TestRepo repo;
    auto request = saving({source.path()});
    request.streams.push_back(stream("zz dump", dump));
    request.streams.push_back(stream("0 empty", ""));
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(repo.dumped(taken.snapshot, "zz dump"), dump);
    EXPECT_EQ(repo.dumped(taken.snapshot, "/0 empty"), "");
    EXPECT_EQ(repo.dumped(taken.snapshot, source / "file"), "x");
    EXPECT_EQ(taken.snapshot.streams, (Names{"0 empty", "zz dump"}));
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

TEST(SnapshotStreams, NeedNoPaths) {
    TestRepo repo;
    auto request = saving({});
    request.streams.push_back(stream("only", "content"));
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(names_in(repo, taken.snapshot, ""), Names{"only"});
    EXPECT_EQ(repo.dumped(taken.snapshot, "only"), "content");
}

TEST(SnapshotStreams, OneThatFailsLeavesNoSnapshot) {
    TempFolder const source;
    write_file(source / "file", "x");
    TestRepo repo;
    auto request = saving({source.path()});
    request.streams.push_back(stream("good", random_bytes(10, 2U << 20U)));
    request.streams.push_back(std::make_unique<TextStream>("bad", "half", "exit code 1"));
    EXPECT_EQ(failure_of([&] { repo.take(std::move(request)); }), RepositoryFailure::stream_failed);
    EXPECT_EQ(repo.ids(), Names{});
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

// Waits in its first read until all others are being read too.
class MeetingStream final : public StreamSource {
public:
    MeetingStream(std::string name, std::latch& all) : name_(std::move(name)), all_(all) {}
    std::string const& name() const override { return name_; }
    std::size_t read(std::span<std::byte>) override {
        all_.arrive_and_wait();
        return 0;
    }
    void finish() override {}

private:
    std::string name_;
    std::latch& all_;
};

TEST(ThreadsStreams, AreReadAtTheSameTime) {
    std::latch all(3);
    TestRepo repo;
    auto request = saving({});
    for (auto const* name : {"a", "b", "c"}) {
        request.streams.push_back(std::make_unique<MeetingStream>(name, all));
    }
    EXPECT_EQ(repo.take(std::move(request)).snapshot.streams, (Names{"a", "b", "c"}));
}

TEST(SnapshotStreams, OfACommandBeginAnewWhereverTheyAre) {
    auto const stream = stream_from_command("out", {"sh", "-c", "echo first; exec sleep 1000"});
    Bytes read(6);
    for (int again = 0; again < 3; ++again) {
        ASSERT_EQ(stream->read(read), read.size());
        EXPECT_EQ(std::string(reinterpret_cast<char const*>(read.data()), read.size()), "first\n");
        if (again == 1) stream->cancel();
        EXPECT_TRUE(stream->restart());
    }
    auto const once = stream_from_fd("in", 0);
    EXPECT_FALSE(once->restart());
}

TEST(SnapshotStreams, OfACommandThatHasClosedItsOutputCanBeCancelled) {
    auto const stream = stream_from_command("out", {"sh", "-c", "exec sleep 1000 >&-"});
    Bytes read(6);
    EXPECT_EQ(stream->read(read), 0U);
    stream->cancel();
    EXPECT_EQ(failure_of([&] { stream->finish(); }), RepositoryFailure::stream_failed);
}

// As the terminal stops what asks there.
TEST(SnapshotStreams, OfACommandThatIsStoppedFail) {
    auto const waiting = stream_from_command("out", {"sh", "-c", "kill -STOP $$"});
    Bytes read(6);
    EXPECT_TRUE(contains(message_of([&] { waiting->read(read); }), "was stopped"));
    auto const ending = stream_from_command("out", {"sh", "-c", "exec >&-; kill -STOP $$"});
    EXPECT_EQ(ending->read(read), 0U);
    EXPECT_TRUE(contains(message_of([&] { ending->finish(); }), "was stopped"));
}

TEST(SnapshotStreams, RefuseNamesThatCannotBe) {
    for (std::string const& name : {std::string(), std::string("."), std::string(".."),
                                    std::string("a/b"), std::string(256, 'x')}) {
        TestRepo repo;
        auto request = saving({});
        request.streams.push_back(stream(name, "x"));
        EXPECT_EQ(failure_of([&] { repo.take(std::move(request)); }),
                  RepositoryFailure::stream_failed)
            << name;
        EXPECT_EQ(repo.ids(), Names{}) << name;
    }
}

TEST(SnapshotStreams, RefuseNamesThatAreTaken) {
    TempFolder const source;
    std::string const top = source.path().substr(1, source.path().find('/', 1) - 1);
    TestRepo repo;
    auto with_path = saving({source.path()});
    with_path.streams.push_back(stream(top, "x"));
    EXPECT_EQ(failure_of([&] { repo.take(std::move(with_path)); }),
              RepositoryFailure::stream_failed);
    auto twins = saving({});
    twins.streams.push_back(stream("same", "x"));
    twins.streams.push_back(stream("same", "y"));
    EXPECT_EQ(failure_of([&] { repo.take(std::move(twins)); }), RepositoryFailure::stream_failed);
    EXPECT_EQ(repo.ids(), Names{});
}

TEST(SnapshotStreams, RefuseANameThatTheRootFolderHolds) {
    TempFolder const source;
    std::string const top = source.path().substr(1, source.path().find('/', 1) - 1);
    TestRepo repo;
    auto request = saving({"/"});
    for (auto const& pattern : {std::string("/*"), "!/" + top, "/" + top + "/*"}) {
        request.exclude.patterns.add(pattern);
    }
    request.streams.push_back(stream(top, "x"));
    EXPECT_EQ(failure_of([&] { repo.take(std::move(request)); }), RepositoryFailure::stream_failed);
    EXPECT_EQ(repo.objects("snapshots/"), Names{});
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

TEST(ThreadsSnapshot, SavesAndRestoresWithManyThreads) {
    TempFolder const source;
    for (unsigned i = 0; i < 20; ++i) {
        write_file(source / ("noise " + std::to_string(i)), random_bytes(i, 150'000));
        write_file(source / ("text " + std::to_string(i)), compressible_text(i, 150'000));
    }
    TestRepo repo(Mode::encrypted, {4096, 16384, 65536});
    auto request = saving({source.path()});
    request.threads = 4;
    for (unsigned i = 0; i < 3; ++i) {
        request.streams.push_back(stream("s" + std::to_string(i), random_bytes(50 + i, 700'000)));
    }
    auto const taken = repo.take(std::move(request));
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
    for (unsigned i = 0; i < 3; ++i) {
        EXPECT_EQ(repo.dumped(taken.snapshot, "s" + std::to_string(i)),
                  random_bytes(50 + i, 700'000));
    }
    EXPECT_EQ(repo.errors(CheckDepth::read_data), Names{});
}

constexpr std::int64_t started = 1'000'000'000'000'000'000;

Node old_file() {
    Node node;
    node.name = "file";
    node.size = 100;
    node.inode = 7;
    node.mtime = {999'999'000, 5};
    node.ctime = {999'999'500, 6};
    return node;
}

// Whether a file counts as unchanged after `change` was made to what is there now.
template <class Change>
bool unchanged_after(Change const& change) {
    Node now = old_file();
    change(now);
    return is_unchanged(now, old_file(), started);
}

TEST(IsUnchanged, WhenSizeInodeAndTimesAreThoseOfTheParent) {
    EXPECT_TRUE(unchanged_after([](Node&) {}));
    EXPECT_TRUE(unchanged_after([](Node& n) { n.mode = 0777; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { n.size = 101; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { n.inode = 8; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { ++n.mtime.nanoseconds; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { --n.mtime.seconds; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { ++n.ctime.nanoseconds; }));
    EXPECT_FALSE(unchanged_after([](Node& n) { --n.ctime.seconds; }));
}

TEST(IsUnchanged, OnlyWhenBothTimesAreOlderThanTheParentByMoreThanTwoSeconds) {
    auto const with_times = [](TimePoint mtime, TimePoint ctime) {
        Node node = old_file();
        node.mtime = mtime;
        node.ctime = ctime;
        return is_unchanged(node, node, started);
    };
    TimePoint const old{999'999'997, 999'999'999};
    TimePoint const racy{999'999'998, 0};
    EXPECT_TRUE(with_times(old, old));
    EXPECT_FALSE(with_times(racy, old));
    EXPECT_FALSE(with_times(old, racy));
    EXPECT_FALSE(with_times({1'000'000'002, 0}, old));
    EXPECT_FALSE(with_times({1'000'000'100, 0}, {1'000'000'100, 0}));
}

TEST(IsUnchanged, WhenSomebodySetItsTimeToLongAfterTheParent) {
    Node ahead = old_file();
    ahead.mtime = {4'000'000'000, 5};
    EXPECT_TRUE(is_unchanged(ahead, ahead, started));
}

TEST(IsUnchanged, NeverForStreamsUnstableFilesAndOtherKinds) {
    Node before = old_file();
    before.flags = node_flags::stream;
    EXPECT_FALSE(is_unchanged(old_file(), before, started));
    before.flags = node_flags::unstable;
    EXPECT_FALSE(is_unchanged(old_file(), before, started));
    before.flags = 0;
    before.kind = NodeKind::symlink;
    EXPECT_FALSE(is_unchanged(old_file(), before, started));
}

struct PatternCase {
    Names patterns;
    std::string path;
    bool matches;
};

class Patterns : public testing::TestWithParam<PatternCase> {};
INSTANTIATE_TEST_SUITE_P(
    Table, Patterns,
    testing::Values(PatternCase{{"*.o"}, "/a/b.o", true}, PatternCase{{"*.o"}, "/a/b.c", false},
                    PatternCase{{"*.o"}, "/x.o/file", false}, PatternCase{{"b"}, "/a/b", true},
                    PatternCase{{"b"}, "/a/bb", false}, PatternCase{{"a/b"}, "/x/a/b", true},
                    PatternCase{{"a/b"}, "/a/x/b", false}, PatternCase{{"/a/b"}, "/a/b", true},
                    PatternCase{{"/a/b"}, "/x/a/b", false}, PatternCase{{"/a/*"}, "/a/b", true},
                    PatternCase{{"/a/*"}, "/a/b/c", false}, PatternCase{{"/a/**"}, "/a/b/c", true},
                    PatternCase{{"/a/**"}, "/a", false}, PatternCase{{"/a/**/z"}, "/a/z", true},
                    PatternCase{{"/a/**/z"}, "/a/b/c/z", true},
                    PatternCase{{"/a/**/z"}, "/b/z", false}, PatternCase{{"?.c"}, "/x.c", true},
                    PatternCase{{"?.c"}, "/xx.c", false}, PatternCase{{"[a-c]x"}, "/bx", true},
                    PatternCase{{"[a-c]x"}, "/dx", false}, PatternCase{{"[]]x"}, "/]x", true},
                    PatternCase{{"*"}, "/.hidden", true}, PatternCase{{"a/"}, "/x/a", true},
                    PatternCase{{"*.o", "!keep.o"}, "/keep.o", false},
                    PatternCase{{"*.o", "!keep.o"}, "/drop.o", true},
                    PatternCase{{"!keep.o", "*.o"}, "/keep.o", true},
                    PatternCase{{"*.o", "!keep"}, "/keep/a/b.o", false},
                    PatternCase{{"*.o", "!/keep"}, "/x/keep/b.o", true},
                    PatternCase{{"!keep", "*.o"}, "/keep/b.o", true},
                    PatternCase{{"a/**", "!a/b"}, "/a/b/c/d", false},
                    PatternCase{{"a/**", "!a/b"}, "/a/bc/d", true},
                    PatternCase{{"a/**", "!a/b/**"}, "/a/b", true},
                    PatternCase{{"a/**", "!a/b/**"}, "/a/b/c/d", false},
                    PatternCase{{"*", "!**"}, "/a", false},
                    PatternCase{{"*", "!/**"}, "/a/b", false}, PatternCase{{"!a"}, "/a", false},
                    PatternCase{{"a\\*"}, "/a*", true}, PatternCase{{"a\\*"}, "/ab", false},
                    PatternCase{{"**"}, "/a/b", true}, PatternCase{{"x*y"}, "/x/y", false},
                    PatternCase{{"[ä]*"}, "/öl", false}, PatternCase{{"[äö]l"}, "/öl", true},
                    PatternCase{{"M?ller"}, "/Müller", true}, PatternCase{{"??"}, "/ü", false},
                    PatternCase{{"[!a]x"}, "/öx", true}, PatternCase{{"?"}, "/\xff", true},
                    PatternCase{{"ü?"}, "/ü\xff", true}));

TEST_P(Patterns, Decide) {
    PatternList list;
    for (auto const& pattern : GetParam().patterns) list.add(pattern);
    EXPECT_EQ(list.matches(GetParam().path), GetParam().matches)
        << GetParam().patterns[0] << " and " << GetParam().path;
}

TEST(PatternList, TakesNoTimeForManyStars) {
    PatternList list;
    std::string pattern;
    for (int i = 0; i < 40; ++i) pattern += "**/a/";
    list.add(pattern + "z");
    std::string path;
    for (int i = 0; i < 200; ++i) path += "/a";
    EXPECT_FALSE(list.matches(path));
    EXPECT_TRUE(list.matches(path + "/z"));
}

TEST(PatternList, RefusesWhatIsNoPattern) {
    for (auto const* bad : {"", "!", "/", "!/", "[a", "x[", "[]", "![a"}) {
        PatternList list;
        EXPECT_THROW(list.add(bad), std::invalid_argument) << bad;
        EXPECT_TRUE(list.empty()) << bad;
    }
}

TEST(PatternList, KnowsWhereAMatchMayLieBeneath) {
    PatternList list;
    list.add("/a/b/*.c");
    EXPECT_TRUE(list.may_match_beneath("/"));
    EXPECT_TRUE(list.may_match_beneath("/a"));
    EXPECT_TRUE(list.may_match_beneath("/a/b"));
    EXPECT_FALSE(list.may_match_beneath("/a/c"));
    EXPECT_FALSE(list.may_match_beneath("/b"));
    list.add("deep");
    EXPECT_TRUE(list.may_match_beneath("/b"));
}

TEST(ParseTime, ReadsWhatItSaysItDoes) {
    EXPECT_EQ(parse_time("1970-01-01T00:00:00Z"), 0);
    EXPECT_EQ(parse_time("2026-08-02T13:00:05Z"), 1'785'675'605'000'000'000);
    EXPECT_EQ(parse_time("2026-08-02 13:00:05Z"), 1'785'675'605'000'000'000);
    EXPECT_EQ(parse_time("2026-08-02T13:00Z"), 1'785'675'600'000'000'000);
    EXPECT_EQ(parse_time("2026-08-02T15:00:05+02:00"), 1'785'675'605'000'000'000);
    EXPECT_EQ(parse_time("2026-08-02T09:30:05-03:30"), 1'785'675'605'000'000'000);
    EXPECT_EQ(parse_time("2026-08-02T13:00:05.25Z"), 1'785'675'605'250'000'000);
    EXPECT_EQ(parse_time("1969-12-31T23:59:59.5Z"), -500'000'000);
}

TEST(ParseTime, TakesLocalTimeWithoutZone) {
    std::tm tm{};
    tm.tm_year = 126;
    tm.tm_mon = 7;
    tm.tm_mday = 2;
    tm.tm_isdst = -1;
    std::int64_t const midnight = std::int64_t{std::mktime(&tm)} * 1'000'000'000;
    EXPECT_EQ(parse_time("2026-08-02"), midnight);
    EXPECT_EQ(parse_time("2026-08-02 00:00"), midnight);
    EXPECT_EQ(parse_time("2026-08-02 00:00:01.5"), midnight + 1'500'000'000);
}

TEST(ParseTime, RefusesWhatIsNoTime) {
    for (auto const* bad :
         {"", "now", "2026", "2026-13-01", "2026-08-02x", "2026-08-02 25:00",
          "2026-08-02T13:00:05+2", "2026-08-02T13:00:05+aa:00", "13:00", "2026-08-02T13:00:05ZZ",
          "2026-02-31", "2026-08-02T13:00:05+02:0x", "2026-08-02T13:00:05."}) {
        EXPECT_THROW(parse_time(bad), std::invalid_argument) << bad;
    }
}

TEST(DirectoryBuilder, RefusesWhatNoReaderWouldAccept) {
    ChunkNamer const namer{SecretKey{}};
    Node node;
    node.name = "file";
    auto const refuses = [&](Node const& entry) {
        DirectoryBuilder builder(Node{});
        EXPECT_THROW(builder.add(entry, namer, {}), FormatError);
    };
    DirectoryBuilder builder(Node{});
    builder.add(node, namer, {});
    EXPECT_THROW(builder.add(node, namer, {}), FormatError);  // names ascend
    Node bad = node;
    bad.name.assign(256, 'x');
    refuses(bad);
    bad = node;
    bad.xattrs = {{"security.selinux", {}}, {"security.selinux", {}}};
    refuses(bad);
    bad = node;
    bad.mtime.nanoseconds = 1'000'000'000;
    refuses(bad);
    bad = node;
    bad.size = 1;
    refuses(bad);
}

// As a repair on another machine does while this one looks for what it misses.
TEST(Snapshot, KnowsWhatItReliesOnWhenTheIndexIsMadeAnewMeanwhile) {
    TempFolder const source;
    TestRepo repo;
    for (unsigned run = 0; run < 3; ++run) {
        write_file(source / std::to_string(run), random_bytes(run, 50'000));
        repo.save(source.path());
    }
    write_file(source / "new", random_bytes(9, 50'000));
    repo.observe([&, done = false](Verb verb, std::string const& name) mutable {
        if (done || verb != Verb::put || !name.starts_with("packs/")) return;
        done = true;
        Names const packs = repo.objects("packs/");
        for (auto const& bundle : repo.objects("bundles/")) {
            Bundle const rows = read_bundle(repo.store(), repo->keys(), bundle);
            bool const is_first = decode_pack_directory(rows[0].directory).kind == PackKind::data;
            if (!is_first) continue;
            for (auto const& row : rows) repo.store().remove(names::pack(row.pack));
            repo.store().remove(bundle);
            break;
        }
        repo->rebuild_index();
    });
    SnapshotRequest request = saving({source.path()});
    request.parent = ParentChoice::none;
    EXPECT_EQ(failure_of([&] { repo.take(std::move(request)); }), RepositoryFailure::corrupt);
}

// A repository with empty snapshots of chosen ids, a second apart.
class FindSnapshot : public testing::Test {
protected:
    void add(std::string const& hex, std::string const& time, Snapshot snapshot = {}) {
        snapshot.root.name = "root";
        snapshot.root.kind = NodeKind::directory;
        snapshot.time_ns = parse_time(time);
        if (snapshot.started_ns == 0) snapshot.started_ns = snapshot.time_ns;
        std::string const name = "snapshots/" + hex;
        repo_.put(name,
                  repo_->keys().seal_object(ObjectKind::snapshot, name, encode_slot({snapshot})));
    }
    std::string found(std::string const& name, SnapshotFilter const& filter = {}) {
        return find_snapshot(*repo_, name, filter).id.hex();
    }

    TestRepo repo_;
    std::string const old_ = "aa000000000000000000000000000001";
    std::string const middle_ = "aa110000000000000000000000000002";
    std::string const new_ = "bb000000000000000000000000000003";
};

TEST_F(FindSnapshot, UnderstandsNames) {
    add(new_, "2026-08-03T00:00:00Z");
    add(old_, "2026-08-01T00:00:00Z");
    add(middle_, "2026-08-02T00:00:00Z");
    EXPECT_EQ(repo_.ids(), (Names{old_, middle_, new_}));
    EXPECT_EQ(found("latest"), new_);
    EXPECT_EQ(found("latest~0"), new_);
    EXPECT_EQ(found("latest~2"), old_);
    EXPECT_EQ(found("latest@2026-08-02T23:59:59Z"), middle_);
    EXPECT_EQ(found("latest@2026-08-02T00:00:00Z"), middle_);
    EXPECT_EQ(found("latest@2026-08-01T23:59:59.9Z"), old_);
    EXPECT_EQ(found("b"), new_);
    EXPECT_EQ(found("aa0"), old_);
    EXPECT_EQ(found(middle_), middle_);
}

TEST_F(FindSnapshot, RefusesOneThatTheFilterDoesNotChoose) {
    Snapshot tagged;
    tagged.host = "web1";
    tagged.tags = {"weekly"};
    add(old_, "2026-08-01T00:00:00Z", tagged);
    EXPECT_EQ(found("aa", {{"web2", "web1"}, {}, {"weekly"}}), old_);
    for (auto const& filter : {SnapshotFilter{{"web2"}, {}, {}}, SnapshotFilter{{}, {}, {"daily"}},
                               SnapshotFilter{{}, {"/srv"}, {}}}) {
        EXPECT_EQ(failure_of([&] { found("aa", filter); }), RepositoryFailure::failed);
    }
}

// One that is dated ahead was there from when it began.
TEST_F(FindSnapshot, GoesBySameTimeWithAndWithoutAMoment) {
    Snapshot ahead;
    ahead.started_ns = parse_time("2026-08-02T00:00:00Z");
    add(old_, "2026-08-01T00:00:00Z");
    add(new_, "2026-08-02T00:10:00Z", ahead);
    EXPECT_EQ(found("latest"), new_);
    EXPECT_EQ(found("latest@2026-08-02T00:00:00Z"), new_);
    EXPECT_EQ(found("latest@2026-08-01T23:59:59Z"), old_);
}

// It may be the damaged one.
TEST_F(FindSnapshot, TakesNoOtherForTheLatestWhenOneIsDamaged) {
    add(old_, "2026-08-01T00:00:00Z");
    add(new_, "2026-08-03T00:00:00Z");
    repo_.put("snapshots/" + middle_, Bytes(100));
    for (auto const* name : {"latest", "latest~1", "latest@2026-08-02T00:00:00Z"}) {
        EXPECT_EQ(failure_of([&] { found(name); }), RepositoryFailure::corrupt) << name;
        EXPECT_TRUE(contains(message_of([&] { found(name); }), middle_)) << name;
    }
    EXPECT_EQ(found("aa0"), old_);
}

TEST_F(FindSnapshot, SaysWhyNothingFits) {
    EXPECT_NE(failure_of([&] { found("latest"); }), std::nullopt);
    add(old_, "2026-08-01T00:00:00Z");
    add(middle_, "2026-08-02T00:00:00Z");
    EXPECT_TRUE(contains(message_of([&] { found("aa"); }), "several"));
    EXPECT_TRUE(contains(message_of([&] { found("cc"); }), "cc"));
    EXPECT_NE(failure_of([&] { found("latest~2"); }), std::nullopt);
    EXPECT_NE(failure_of([&] { found("latest@2026-07-31T00:00:00Z"); }), std::nullopt);
    EXPECT_NE(failure_of([&] { found(old_ + "0"); }), std::nullopt);
    EXPECT_THROW(found("latest~x"), std::invalid_argument);
    EXPECT_THROW(found("latest2"), std::invalid_argument);
    EXPECT_THROW(found("latest@yesterday"), std::invalid_argument);
}

TEST_F(FindSnapshot, DoesNotTakeAnEmptyNameForTheOnlySnapshot) {
    add(old_, "2026-08-01T00:00:00Z");
    EXPECT_ANY_THROW(found(""));
    EXPECT_ANY_THROW(found(":etc"));
}

TEST_F(FindSnapshot, SplitsOffTheSubPath) {
    add(old_, "2026-08-01T00:00:00Z");
    EXPECT_EQ(repo_.find("latest:etc/app").sub_path, "etc/app");
    EXPECT_EQ(repo_.find("aa:/etc:x").sub_path, "/etc:x");
    EXPECT_EQ(repo_.find("latest@2026-08-02 13:00:05:/etc").sub_path, "/etc");
    EXPECT_EQ(repo_.find("latest").sub_path, "");
}

TEST_F(FindSnapshot, NarrowsLatestByTheFilter) {
    Snapshot web;
    web.host = "web";
    web.tags = {"a", "b"};
    web.paths = {"/srv", "/var"};
    Snapshot other;
    other.host = "db";
    other.tags = {"a"};
    add(old_, "2026-08-01T00:00:00Z", web);
    add(new_, "2026-08-02T00:00:00Z", other);
    EXPECT_EQ(found("latest", {}), new_);
    EXPECT_EQ(found("latest", {{"web"}, {}, {}}), old_);
    EXPECT_EQ(found("latest", {{}, {"/var"}, {}}), old_);
    EXPECT_EQ(found("latest", {{}, {}, {"a"}}), new_);
    EXPECT_EQ(found("latest", {{}, {}, {"a,b"}}), old_);
    EXPECT_EQ(found("latest", {{}, {}, {"c", "a,b"}}), old_);
    EXPECT_NE(failure_of([&] { found("latest", {{}, {"/var", "/etc"}, {}}); }), std::nullopt);
}

}  // namespace
}  // namespace coffre
