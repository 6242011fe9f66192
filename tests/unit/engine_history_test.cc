#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine/crypto/hash.h"
#include "engine/diff.h"
#include "engine/find.h"
#include "engine/log.h"
#include "engine/repository/forgets.h"
#include "format/limits.h"
#include "hostile_scene.h"

namespace coffre {
namespace {

using namespace test;

using Lines = std::vector<std::string>;

std::string relative(std::string const& path, std::string const& folder) {
    return path.starts_with(folder) ? path.substr(folder.size()) : path;
}

std::string word_of(Happened happened) {
    static constexpr char const* names[] = {"created", "content", "metadata", "type", "removed"};
    return names[static_cast<std::size_t>(happened)];
}

char letter(Difference difference) {
    return "+-MUT"[static_cast<std::size_t>(difference)];
}

// Number of reads of packs while `action` runs.
template <class Action>
std::uint64_t packs_read(TestRepo& repo, Action const& action) {
    std::uint64_t reads = 0;
    repo.observe([&](Verb verb, std::string const& name) {
        if (verb == Verb::get && name.starts_with("packs/")) ++reads;
    });
    action();
    repo.observe_nothing();
    return reads;
}

// A folder that is saved again and again.
class History : public testing::Test {
protected:
    void SetUp() override {
        make_folder(source_ / "folder/inner");
        write(0, "file");
        write(0, "folder/inner/leaf.txt");
        write(0, "folder/other.TXT");
        make_symlink(source_ / "link", "file");
        settle_folders();
        save();
    }
    // What is in a file tells the number; its time does, too.
    void write(int number, std::string const& name) {
        write_file(source_ / name, "content " + std::to_string(number));
        set_mtime(source_ / name, 1'500'000'000 + number, 0);
    }
    void remove(std::string const& name) { std::filesystem::remove_all(source_ / name); }
    // Their times then tell nothing apart.
    void settle_folders() {
        for (auto const* folder : {"", "/folder", "/folder/inner"}) {
            if (std::filesystem::is_directory(source_.path() + folder)) {
                set_mtime(source_.path() + folder, 1'400'000'000, 0);
            }
        }
    }
    void save() { repo_.save(source_.path()); }
    // Of the folder no more than this name.
    void save_without_the_rest_of(std::string const& kept) {
        auto request = saving({source_.path()});
        request.exclude.tags = {{kept, ""}};
        repo_.take(std::move(request));
    }
    void remove_packs_but(Lines const& kept) {
        for (auto const& pack : repo_.objects("packs/")) {
            if (std::ranges::count(kept, pack) == 0) repo_.store().remove(pack);
        }
    }
    std::vector<NamedSnapshot> const& snapshots() {
        return list_.snapshots = list_snapshots(*repo_).snapshots;
    }

    Lines diff(std::string const& before, std::string const& after,
               DiffDepth depth = DiffDepth::contents) {
        Lines lines;
        summary_ = diff_snapshots(*repo_, repo_.find(before), repo_.find(after), depth,
                                  [&](Change const& change) {
                                      lines.push_back(std::string(1, letter(change.difference)) +
                                                      " " + relative(change.path, source_.path()));
                                  });
        return lines;
    }
    // "path: number of snapshots, first to last" of those, from 0.
    Lines find(NodeFilter const& filter) {
        auto const& all = snapshots();
        Lines lines;
        find_versions(*repo_, all, filter, [&](FoundVersion const& found) {
            lines.push_back(relative(found.path, source_.path()) + ": " +
                            std::to_string(found.snapshots) + ", " +
                            std::to_string(found.oldest - all.data()) + " to " +
                            std::to_string(found.newest - all.data()));
        });
        return lines;
    }
    Lines find(std::string const& pattern, NodeFilter::Case letters = NodeFilter::Case::exact) {
        NodeFilter filter(letters);
        filter.add_pattern(pattern);
        return find(filter);
    }
    // "what happened, number of the first snapshot, how many".
    Lines log(std::string const& path) {
        auto const& all = snapshots();
        Lines lines;
        log_path(*repo_, all, path, [&](PathVersion const& version) {
            EXPECT_EQ(version.node == nullptr, version.happened == Happened::removed);
            EXPECT_EQ(version.last - version.first + 1, version.snapshots);
            lines.push_back(word_of(version.happened) + " " +
                            std::to_string(version.first - all.data()) + " " +
                            std::to_string(version.snapshots));
        });
        return lines;
    }
    Lines log_in_source(std::string const& name) { return log(source_ / name); }

    TempFolder source_;
    TestRepo repo_;
    SnapshotList list_;
    DiffSummary summary_;
};

class Diff : public History {};
class Find : public History {};
class Log : public History {};

TEST_F(Diff, TellsWhatWasAddedRemovedAndChanged) {
    write(0, "folder/new");
    write(1, "file");
    remove("folder/other.TXT");
    save();
    EXPECT_EQ(diff("latest~1", "latest"),
              (Lines{"M /file", "+ /folder/new", "- /folder/other.TXT"}));
    EXPECT_EQ(diff("latest", "latest~1"),
              (Lines{"M /file", "- /folder/new", "+ /folder/other.TXT"}));
}

TEST_F(Diff, ListsFoldersWithEverythingInThem) {
    std::filesystem::rename(source_ / "folder", source_ / "moved");
    save();
    EXPECT_EQ(
        diff("latest~1", "latest"),
        (Lines{"- /folder", "- /folder/inner", "- /folder/inner/leaf.txt", "- /folder/other.TXT",
               "+ /moved", "+ /moved/inner", "+ /moved/inner/leaf.txt", "+ /moved/other.TXT"}));
    EXPECT_EQ(summary_.added.files, 2U);
    EXPECT_EQ(summary_.added.directories, 2U);
    EXPECT_EQ(summary_.removed.files, 2U);
    EXPECT_EQ(summary_.removed.directories, 2U);
}

TEST_F(Diff, CountsEntriesAndBytes) {
    write_file(source_ / "file", "longer than it was");  // 18 bytes instead of 9
    write_file(source_ / "folder/other.TXT", "short");   // 5 instead of 9
    write_file(source_ / "new", "four");
    remove("folder/inner");
    remove("link");
    save();
    diff("latest~1", "latest");
    EXPECT_EQ(summary_.changed, 2U);
    EXPECT_EQ(summary_.added.files, 1U);
    EXPECT_EQ(summary_.added.bytes, 4U + 9U);
    EXPECT_EQ(summary_.removed.files, 1U);
    EXPECT_EQ(summary_.removed.directories, 1U);
    EXPECT_EQ(summary_.removed.others, 1U);
    EXPECT_EQ(summary_.removed.bytes, 9U + 4U);
}

TEST_F(Diff, TellsMetadataApartOnlyWhenAsked) {
    set_mode(source_ / "file", 0600);
    set_mtime(source_ / "folder", 1'400'000'001, 0);
    write_file(source_ / "folder/other.TXT", "CONTENT 0");  // and its time
    save();
    EXPECT_EQ(diff("latest~1", "latest"), Lines{"M /folder/other.TXT"});
    EXPECT_EQ(summary_.metadata_changed, 0U);
    EXPECT_EQ(diff("latest~1", "latest", DiffDepth::metadata),
              (Lines{"U /file", "U /folder", "M /folder/other.TXT"}));
    EXPECT_EQ(summary_.metadata_changed, 2U);
    EXPECT_EQ(summary_.changed, 1U);
}

TEST_F(Diff, SeesNoChangeInInodesAndTimesOfChange) {
    for (auto const* name : {"file", "folder/other.TXT"}) {
        remove(name);
        write(0, name);
    }
    settle_folders();
    save();
    EXPECT_EQ(diff("latest~1", "latest", DiffDepth::metadata), Lines{});
}

TEST_F(Diff, SeesChangesBehindEqualSizesAndTimes) {
    write_file(source_ / "file", "CONTENT 0");
    set_mtime(source_ / "file", 1'500'000'000, 0);
    save();
    EXPECT_EQ(diff("latest~1", "latest"), Lines{"M /file"});
}

TEST_F(Diff, TellsTypesApart) {
    remove("link");
    write_file(source_ / "link", "file");
    remove("folder/inner");
    write_file(source_ / "folder/inner", "a file now");
    remove("file");
    make_folder(source_ / "file/deep");
    settle_folders();
    save();
    EXPECT_EQ(diff("latest~1", "latest", DiffDepth::metadata),
              (Lines{"T /file", "+ /file/deep", "T /folder/inner", "- /folder/inner/leaf.txt",
                     "T /link"}));
    EXPECT_EQ(summary_.types_changed, 3U);
    EXPECT_EQ(summary_.changed, 0U);
}

TEST_F(Diff, SeesWhereALinkPoints) {
    remove("link");
    make_symlink(source_ / "link", "folder");
    save();
    EXPECT_EQ(diff("latest~1", "latest"), Lines{"M /link"});
}

TEST_F(Diff, TellsOfFoldersThatWereNotSavedWhole) {
    save_without_the_rest_of("other.TXT");
    EXPECT_EQ(diff("latest~1", "latest"), (Lines{"- /folder/inner", "- /folder/inner/leaf.txt"}));
    EXPECT_EQ(summary_.partial, Lines{source_ / "folder"});
    save_without_the_rest_of("other.TXT");
    diff("latest~1", "latest");
    EXPECT_EQ(summary_.partial, Lines{});
}

TEST_F(Diff, TakesSubPaths) {
    write(1, "file");
    write(1, "folder/inner/leaf.txt");
    save();
    std::string const at = ":" + source_.path();
    EXPECT_EQ(diff("latest~1" + at + "/folder", "latest" + at + "/folder/"),
              Lines{"M /folder/inner/leaf.txt"});
    EXPECT_EQ(diff("latest~1" + at + "/file", "latest" + at + "/file"), Lines{"M /file"});
    EXPECT_EQ(diff("latest~1" + at + "/link", "latest" + at + "/link"), Lines{});
}

TEST_F(Diff, ComparesFoldersOfDifferentPaths) {
    std::filesystem::copy(source_ / "folder", source_ / "copy",
                          std::filesystem::copy_options::recursive);
    remove("copy/other.TXT");
    write(1, "copy/inner/leaf.txt");
    write(0, "copy/new");
    save();
    std::string const at = "latest:" + source_.path();
    EXPECT_EQ(diff(at + "/folder", at + "/copy"),
              (Lines{"M /copy/inner/leaf.txt", "+ /copy/new", "- /folder/other.TXT"}));
}

TEST_F(Diff, TakesAPathThatOnlyOneSnapshotHas) {
    write(0, "new");
    save();
    std::string const at = ":" + source_.path();
    EXPECT_EQ(diff("latest~1" + at + "/new", "latest" + at + "/new"), Lines{"+ /new"});
    EXPECT_EQ(diff("latest" + at + "/new", "latest~1" + at + "/new"), Lines{"- /new"});
    EXPECT_EQ(failure_of([&] { diff("latest~1" + at + "/none", "latest" + at + "/none"); }),
              RepositoryFailure::failed);
}

TEST_F(Diff, ReadsNoPackOfEqualTrees) {
    save();
    EXPECT_EQ(packs_read(repo_, [&] { EXPECT_EQ(diff("latest~1", "latest"), Lines{}); }), 0U);
    write(1, "file");
    save();
    EXPECT_GT(packs_read(repo_, [&] { diff("latest~1", "latest"); }), 0U);
}

TEST_F(Diff, FailsWhenATreeCannotBeRead) {
    write(1, "file");
    save();
    for (auto const& pack : repo_.objects("packs/")) repo_.store().remove(pack);
    auto const compare = [&] { diff("latest~1", "latest"); };
    EXPECT_EQ(failure_of(compare), RepositoryFailure::corrupt);
    EXPECT_TRUE(contains(message_of(compare), "chunk "));
    EXPECT_TRUE(contains(message_of(compare), "packs/"));
}

TEST_F(Find, MatchesNamesAndPaths) {
    EXPECT_EQ(find("leaf.txt"), Lines{"/folder/inner/leaf.txt: 1, 0 to 0"});
    EXPECT_EQ(find("*.txt"), Lines{"/folder/inner/leaf.txt: 1, 0 to 0"});
    EXPECT_EQ(find("inner/*"), Lines{"/folder/inner/leaf.txt: 1, 0 to 0"});
    EXPECT_EQ(find(source_ / "*"),
              (Lines{"/file: 1, 0 to 0", "/folder: 1, 0 to 0", "/link: 1, 0 to 0"}));
    EXPECT_EQ(find(source_ / "**/inner"), Lines{"/folder/inner: 1, 0 to 0"});
    EXPECT_EQ(find("folder/i*/"), Lines{"/folder/inner: 1, 0 to 0"});
    EXPECT_EQ(find("inner/**"), Lines{"/folder/inner/leaf.txt: 1, 0 to 0"});
    EXPECT_EQ(find("/folder"), Lines{});
    EXPECT_EQ(find("leaf"), Lines{});
}

TEST_F(Find, TakesPatternsBack) {
    NodeFilter filter;
    filter.add_pattern(source_ / "**");
    filter.add_pattern("!folder/**");
    EXPECT_EQ(find(filter), (Lines{"/file: 1, 0 to 0", "/folder: 1, 0 to 0", "/link: 1, 0 to 0"}));
}

TEST_F(Find, TakesNamesBack) {
    NodeFilter filter;
    filter.add_pattern("?i*");
    filter.add_pattern("!link");
    EXPECT_EQ(find(filter), Lines{"/file: 1, 0 to 0"});
}

TEST_F(Find, TakesAMarkOrADotInAPathForWhatItIs) {
    write_file(source_ / "folder/!odd", "x");
    repo_.save(source_.path());
    EXPECT_EQ(find("folder/!odd").size(), 1U);
    EXPECT_EQ(find(source_ / "folder/inner/."), find(source_ / "folder/inner"));
    NodeFilter filter;
    filter.add_pattern("!odd");
    filter.add_pattern("folder/!odd");
    EXPECT_EQ(find(filter).size(), 1U);
}

TEST_F(Find, IgnoresCaseWhenTold) {
    EXPECT_EQ(find("OTHER.*"), Lines{});
    EXPECT_EQ(find("O[T]HER.txt", NodeFilter::Case::ignored),
              Lines{"/folder/other.TXT: 1, 0 to 0"});
}

TEST_F(Find, FiltersByKind) {
    NodeFilter filter;
    filter.add_pattern(source_ / "**");
    filter.kinds = {NodeKind::symlink};
    EXPECT_EQ(find(filter), Lines{"/link: 1, 0 to 0"});
    filter.kinds = {NodeKind::directory};
    EXPECT_EQ(find(filter), (Lines{"/folder: 1, 0 to 0", "/folder/inner: 1, 0 to 0"}));
}

TEST_F(Find, FiltersFilesBySize) {
    write_file(source_ / "large", std::string(1000, 'x'));
    save();
    NodeFilter filter;
    filter.larger_than = 999;
    EXPECT_EQ(find(filter), Lines{"/large: 1, 1 to 1"});
    filter.larger_than = 1000;
    EXPECT_EQ(find(filter), Lines{});
    filter.larger_than.reset();
    filter.smaller_than = 9;
    EXPECT_EQ(find(filter), Lines{});
    filter.smaller_than = 10;
    EXPECT_EQ(find(filter).size(), 3U);
}

TEST_F(Find, FiltersByTime) {
    write(100, "file");
    save();
    NodeFilter filter;
    filter.add_pattern("file");
    filter.oldest = TimePoint{1'500'000'100, 0};
    EXPECT_EQ(find(filter), Lines{"/file: 1, 1 to 1"});
    filter.oldest = TimePoint{1'500'000'100, 1};
    EXPECT_EQ(find(filter), Lines{});
    filter.oldest.reset();
    filter.newest = TimePoint{1'500'000'000, 0};
    EXPECT_EQ(find(filter), Lines{"/file: 1, 0 to 0"});
    filter.newest = TimePoint{1'499'999'999, 999'999'999};
    EXPECT_EQ(find(filter), Lines{});
}

TEST_F(Find, GroupsVersions) {
    save();                             // 1
    write(1, "file");                   //
    save();                             // 2
    write(0, "file");                   // as it was at first
    save();                             // 3
    set_mode(source_ / "file", 0600);   //
    save();                             // 4
    write(1, "folder/inner/leaf.txt");  //
    save();                             // 5
    EXPECT_EQ(find("file"), (Lines{"/file: 3, 0 to 3", "/file: 1, 2 to 2", "/file: 2, 4 to 5"}));
    EXPECT_EQ(find("leaf.txt"),
              (Lines{"/folder/inner/leaf.txt: 5, 0 to 4", "/folder/inner/leaf.txt: 1, 5 to 5"}));
    // What is in a folder is no version of it.
    EXPECT_EQ(find("inner"), Lines{"/folder/inner: 6, 0 to 5"});
    EXPECT_EQ(find("folder"), Lines{"/folder: 6, 0 to 5"});
}

TEST_F(Find, LooksAtTheSnapshotsGivenOnly) {
    write(1, "file");
    save();
    save();
    auto const all = snapshots();
    NodeFilter filter;
    filter.add_pattern("file");
    std::vector<std::uint64_t> counts;
    auto const count = [&](FoundVersion const& found) { counts.push_back(found.snapshots); };
    EXPECT_EQ(find_versions(*repo_, std::span(all).subspan(2), filter, count).versions, 1U);
    EXPECT_EQ(find_versions(*repo_, {}, filter, count).versions, 0U);
    EXPECT_EQ(counts, std::vector<std::uint64_t>{1});
}

TEST_F(Find, TellsWhatItFound) {
    NodeFilter filter;
    filter.add_pattern("file");
    set_mode(source_ / "file", 0640);
    save();
    std::vector<FoundVersion> all;
    find_versions(*repo_, snapshots(), filter, [&](auto const& found) { all.push_back(found); });
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[1].path, source_ / "file");
    EXPECT_EQ(all[1].kind, NodeKind::file);
    EXPECT_EQ(all[1].size, 9U);
    EXPECT_EQ(all[1].mode, 0640U);
    EXPECT_EQ(all[1].mtime, (TimePoint{1'500'000'000, 0}));
    EXPECT_EQ(all[1].oldest->id, repo_.find("latest").id);
}

TEST_F(Find, ReadsSharedTreesOnce) {
    auto const reads_of_one = packs_read(repo_, [&] { find("*"); });
    EXPECT_GT(reads_of_one, 0U);
    for (int i = 0; i < 5; ++i) save();
    EXPECT_EQ(packs_read(repo_, [&] { find("*"); }), reads_of_one);
}

TEST_F(Find, GoesOnBesideFoldersThatCannotBeRead) {
    auto const first = repo_.objects("packs/");
    write(1, "folder/inner/leaf.txt");
    save();
    remove_packs_but(first);
    EXPECT_EQ(find("leaf.txt"), (Lines{"/folder/inner/leaf.txt: 1, 0 to 0"}));
    auto const& all = snapshots();
    auto const damaged = find_versions(*repo_, all, NodeFilter(), [](auto const&) {}).damaged;
    ASSERT_FALSE(damaged.empty());
    EXPECT_TRUE(damaged[0].starts_with(names::snapshot(all[1].id) + ":/: "));
    EXPECT_TRUE(contains(damaged[0], "chunk "));
}

TEST_F(Find, FailsWhenThereIsTooMuch) {
    NodeFilter const everything;
    auto const nothing = [](auto const&) {};
    auto const find_with = [&](std::uint64_t limit) {
        find_versions(*repo_, snapshots(), everything, nothing, {limit});
    };
    auto const all = find_versions(*repo_, snapshots(), everything, nothing).versions;
    EXPECT_EQ(failure_of([&] { find_with(all); }), std::nullopt);
    EXPECT_EQ(failure_of([&] { find_with(all - 1); }), RepositoryFailure::failed);
}

TEST_F(Log, FollowsAFile) {
    write(0, "late");
    save();  // 1
    save();  // 2
    write(1, "late");
    save();  // 3
    set_mode(source_ / "late", 0600);
    save();  // 4
    remove("late");
    save();  // 5
    save();  // 6
    make_folder(source_ / "late");
    save();  // 7
    remove("late");
    write(2, "late");
    save();  // 8
    EXPECT_EQ(log_in_source("late"), (Lines{"created 1 2", "content 3 1", "metadata 4 1",
                                            "removed 5 2", "created 7 1", "type 8 1"}));
    EXPECT_EQ(log_in_source("file"), Lines{"created 0 9"});
}

TEST_F(Log, HearsNothingOfWhatASnapshotCouldNotSave) {
    save_without_the_rest_of("other.TXT");  // 1
    save();                                 // 2
    Lines lines;
    log_path(
        *repo_, snapshots(), source_ / "folder/inner/leaf.txt", [&](PathVersion const& version) {
            lines.push_back(word_of(version.happened) + " " + std::to_string(version.snapshots));
        });
    EXPECT_EQ(lines, Lines{"created 2"});
    EXPECT_EQ(log_in_source("folder/other.TXT"), Lines{"created 0 3"});
}

TEST_F(Log, FollowsAFolderWithAllBeneath) {
    write(1, "folder/inner/leaf.txt");
    save();  // 1
    write(1, "file");
    save();  // 2
    set_mode(source_ / "folder", 0700);
    save();  // 3
    EXPECT_EQ(log_in_source("folder/"), (Lines{"created 0 1", "content 1 2", "metadata 3 1"}));
    EXPECT_EQ(log("/"), (Lines{"created 0 1", "content 1 1", "content 2 1", "content 3 1"}));
    EXPECT_EQ(log(""), log("/"));
}

TEST_F(Log, FollowsWhatIsInAFolderThatComesAndGoes) {
    remove("folder");
    save();  // 1
    make_folder(source_ / "folder/inner");
    write(0, "folder/inner/leaf.txt");
    save();  // 2
    remove("folder");
    write(0, "folder");
    save();  // 3
    EXPECT_EQ(log_in_source("folder/inner/leaf.txt"),
              (Lines{"created 0 1", "removed 1 1", "created 2 1", "removed 3 1"}));
}

TEST_F(Log, FailsWhereNothingEverWas) {
    EXPECT_EQ(failure_of([&] { log_in_source("none"); }), RepositoryFailure::failed);
    EXPECT_EQ(failure_of([&] { log_in_source("file/beneath"); }), RepositoryFailure::failed);
    EXPECT_EQ(failure_of([&] { log("/elsewhere"); }), RepositoryFailure::failed);
}

TEST_F(Log, LeavesOutSnapshotsOfOtherPaths) {
    TempFolder const other;
    write_file(other / "file", "of the other");
    repo_.save(other.path());        // 1
    save();                          // 2
    repo_.save(other.path());        // 3
    repo_.save(source_ / "folder");  // 4
    auto with_stream = saving({other.path()});
    with_stream.streams.push_back(stream("dump", "of a database"));
    repo_.take(std::move(with_stream));  // 5
    auto const all = snapshots();
    std::vector<std::uint64_t> counts;
    auto const count = [&](PathVersion const& version) { counts.push_back(version.snapshots); };
    log_path(*repo_, all, source_ / "file", count);
    log_path(*repo_, all, source_ / "folder/inner", count);
    log_path(*repo_, all, "/dump", count);
    EXPECT_EQ(counts, (std::vector<std::uint64_t>{2, 3, 1}));
}

TEST_F(Log, SeesNoChangeInTheTimeOfAStream) {
    for (auto const* content : {"a", "a", "b"}) {
        auto request = saving({});
        request.streams.push_back(stream("dump", content));
        repo_.take(std::move(request));
    }
    EXPECT_EQ(log("/dump"), (Lines{"created 1 2", "content 3 1"}));
}

TEST_F(Log, FollowsEachHostByItself) {
    for (int i = 1; i < 4; ++i) {
        write(i % 2, "file");
        auto request = saving({source_.path()});
        request.host = i % 2 == 0 ? "test-host" : "another";
        repo_.take(std::move(request));
    }
    Lines lines;
    auto const all = snapshots();
    log_path(*repo_, all, source_ / "file", [&](PathVersion const& version) {
        lines.push_back(version.first->snapshot.host + " " + word_of(version.happened) + " " +
                        std::to_string(version.snapshots));
    });
    EXPECT_EQ(lines, (Lines{"another created 2", "test-host created 2"}));
}

TEST_F(Log, ReadsSharedTreesOnce) {
    auto const reads_of_one = packs_read(repo_, [&] { log_in_source("folder/inner/leaf.txt"); });
    EXPECT_GT(reads_of_one, 0U);
    for (int i = 0; i < 5; ++i) save();
    auto const reads = packs_read(repo_, [&] { log_in_source("folder/inner/leaf.txt"); });
    EXPECT_EQ(reads, reads_of_one);
}

TEST_F(Log, GoesOnBesideFoldersThatCannotBeRead) {
    auto const first = repo_.objects("packs/");
    write(1, "file");
    save();
    remove_packs_but(first);
    EXPECT_EQ(log_in_source("file"), (Lines{"created 0 1"}));
    auto const& all = snapshots();
    auto const damaged = log_path(*repo_, all, source_ / "file", [](auto const&) {});
    ASSERT_EQ(damaged.size(), 1U);
    EXPECT_TRUE(damaged[0].starts_with(names::snapshot(all[1].id) + ": "));
    EXPECT_TRUE(contains(damaged[0], "chunk "));
    // That it is nowhere is not known.
    for (auto const& pack : repo_.objects("packs/")) repo_.store().remove(pack);
    EXPECT_EQ(log_path(*repo_, all, source_ / "nowhere", [](auto const&) {}).size(), 2U);
}

// Listed, then forgotten and collected by others.
TEST_F(History, WhatIsGivenUpMeanwhileIsNoDamage) {
    auto const first = repo_.objects("packs/");
    write(1, "file");
    save();
    auto const all = snapshots();
    FoundSnapshot const before{all[0].id, all[0].snapshot, ""};
    FoundSnapshot const after{all[1].id, all[1].snapshot, ""};
    put_forgets(*repo_, {after.id}, "");
    remove_packs_but(first);
    std::uint64_t found = 0;
    NodeFilter filter;
    filter.add_pattern("file");
    auto const result = find_versions(*repo_, all, filter,
                                      [&](auto const& version) { found += version.snapshots; });
    EXPECT_EQ(result.damaged, Lines{});
    EXPECT_EQ(found, 1U);
    EXPECT_EQ(log_path(*repo_, all, source_ / "file", [](auto const&) {}), Lines{});
    EXPECT_EQ(failure_of([&] {
                  diff_snapshots(*repo_, before, after, DiffDepth::metadata, [](auto const&) {});
              }),
              RepositoryFailure::failed);
}

// Trees as they are made here, without files behind them.
class CraftedHistory : public testing::Test {
protected:
    void add_root(Node const& root) {
        Snapshot snapshot;
        snapshot.root = root;
        snapshot.paths = {"/"};
        snapshot.statistics = repo_.counted();
        SessionId id;
        id.bytes[0] = static_cast<std::byte>(snapshots_.size() + 1);
        snapshots_.push_back({id, snapshot});
    }
    void add(std::vector<Node> const& top) { add_root(repo_.folder("root", top)); }
    // `count` files of which each tenth is named *.txt.
    std::vector<Node> files(int count) {
        std::vector<Node> nodes;
        for (int i = 0; i < count; ++i) {
            std::string const digits = std::to_string(1'000'000 + i);
            nodes.push_back(repo_.file(digits + (i % 10 == 0 ? ".txt" : ".jpg")));
        }
        return nodes;
    }
    Lines diff(std::size_t before, std::size_t after) {
        repo_.flush();
        Lines lines;
        diff_snapshots(
            **repo_, at(before), at(after), DiffDepth::metadata, [&](Change const& change) {
                lines.push_back(std::string(1, letter(change.difference)) + " " + change.path);
            });
        return lines;
    }
    FoundSnapshot at(std::size_t number) {
        return {snapshots_[number].id, snapshots_[number].snapshot, ""};
    }
    std::map<std::uint64_t, int> find(std::string const& pattern) {
        repo_.flush();
        NodeFilter filter;
        filter.add_pattern(pattern);
        std::map<std::uint64_t, int> versions_by_count;
        auto const add = [&](FoundVersion const& found) { ++versions_by_count[found.snapshots]; };
        require_whole(find_versions(**repo_, snapshots_, filter, add).damaged);
        return versions_by_count;
    }
    Lines log(std::string const& path) {
        repo_.flush();
        Lines lines;
        require_whole(log_path(**repo_, snapshots_, path, [&](PathVersion const& version) {
            lines.push_back(word_of(version.happened) + " " + std::to_string(version.snapshots));
        }));
        return lines;
    }
    static void require_whole(std::vector<std::string> const& damaged) {
        if (!damaged.empty()) throw corrupt(damaged[0]);
    }
    std::string failure(std::function<void()> const& action) {
        std::string message;
        on_large_stack([&] { message = message_of(action); });
        return message;
    }

    HostileRepo repo_{Mode::none};
    std::vector<NamedSnapshot> snapshots_;
};

using Counts = std::map<std::uint64_t, int>;

Counts counts_of(std::map<std::string, std::uint64_t> const& snapshots) {
    Counts counts;
    for (auto const& [version, count] : snapshots) ++counts[count];
    return counts;
}

// More pieces than a node lists itself: recipes.
TEST_F(CraftedHistory, ReadsLargeFolders) {
    auto nodes = files(40'000);
    add(nodes);
    nodes[20'000] = repo_.file(nodes[20'000].name, "changed");
    add(nodes);
    nodes.erase(nodes.begin() + 39'990);
    add(nodes);
    EXPECT_EQ(diff(0, 2), (Lines{"M /1020000.txt", "- /1039990.txt"}));
    EXPECT_EQ(find("*.txt"), (Counts{{3, 3998}, {2, 2}, {1, 1}}));
    EXPECT_EQ(log("/1020000.txt"), (Lines{"created 1", "content 2"}));
    EXPECT_EQ(log("/1039990.txt"), (Lines{"created 2", "removed 1"}));
    EXPECT_EQ(log("/1000010.txt"), Lines{"created 3"});
}

TEST_F(CraftedHistory, ReadsOnlyThePiecesThatDiffer) {
    auto nodes = files(10'000);
    add(nodes);
    nodes[5'000] = repo_.file(nodes[5'000].name, "changed");
    add(nodes);
    EXPECT_EQ(packs_read(*repo_, [&] { diff(0, 1); }), 2U);
    EXPECT_EQ(packs_read(*repo_, [&] { find("none"); }), 11U);
}

// From one snapshot to the next an entry comes, changes or goes; every second one is a folder.
TEST_F(CraftedHistory, FindsWhatChangesWithinAPiece) {
    std::mt19937 random(1);
    std::map<std::string, std::string> top;  // names and contents
    std::map<std::string, std::uint64_t> expected;
    for (int i = 0; i < 80; ++i) {
        std::string const name(1, "abcdefgh"[random() % 8]);
        std::string const content = std::to_string(random() % 3);
        if (!top.erase(name) || content != "0") top[name] = content;
        std::vector<Node> nodes;
        for (auto const& [entry, inside] : top) {
            Node const file = repo_.file(entry, inside);
            bool const is_folder = entry[0] % 2 == 0;
            nodes.push_back(is_folder ? repo_.folder(entry, {file}) : file);
            if (is_folder) ++expected["/" + entry];
            ++expected["/" + entry + (is_folder ? "/" + entry : "") + " " + inside];
        }
        add(nodes);
    }
    EXPECT_EQ(find("*"), counts_of(expected));
}

TEST_F(CraftedHistory, ReadsNoRecipeOfEqualFolders) {
    add(files(40'000));
    EXPECT_EQ(packs_read(*repo_, [&] { diff(0, 0); }), 0U);
}

// The second snapshot is allowed no entry of its own.
TEST_F(CraftedHistory, VisitsSharedTreesOnce) {
    add({repo_.file("a.txt"), repo_.folder("folder", {repo_.file("b.txt")})});
    snapshots_.push_back(snapshots_[0]);
    snapshots_[1].snapshot.statistics = {};
    EXPECT_EQ(find("*.txt"), (Counts{{2, 2}}));
}

TEST_F(CraftedHistory, ComparesContentsOfFilesWithoutAHash) {
    auto const without_hash = [&](std::string const& content) {
        Node file = repo_.file("file", content);
        file.hash = {};
        return file;
    };
    add({without_hash("one")});
    add({without_hash("two")});
    Node const restored = without_hash("one");
    add({restored, repo_.file("new")});
    EXPECT_EQ(diff(0, 1), Lines{"M /file"});
    EXPECT_EQ(diff(0, 2), Lines{"+ /new"});
}

TEST_F(CraftedHistory, ComparesHoles) {
    Node file = repo_.file("file", "x");
    file.size = 3;
    file.holes = {{0, 2}};
    add({file});
    file.holes = {{1, 2}};
    add({file});
    EXPECT_EQ(diff(0, 1), Lines{"M /file"});
}

TEST_F(CraftedHistory, ComparesAttributesOwnersAndDevices) {
    Node file = repo_.file("file");
    Node device = device_of("device", NodeKind::char_device, 1);
    Node fifo = node_of("fifo", NodeKind::fifo);
    add({device, fifo, file});
    file.xattrs = {{"user.x", Bytes(5, std::byte{1})}};
    device.device_number = 2;
    fifo.user = "somebody";
    add({device, fifo, file});
    EXPECT_EQ(diff(0, 1), (Lines{"M /device", "U /fifo", "U /file"}));
}

TEST_F(CraftedHistory, KeepsEqualTreesAtDifferentPathsApart) {
    std::vector<Node> const inside{repo_.file("a.txt"), repo_.file("b.txt")};
    add({repo_.folder("one", inside), repo_.folder("two", inside)});
    add({repo_.folder("one", inside)});
    EXPECT_EQ(find("*.txt"), (Counts{{2, 2}, {1, 2}}));
    EXPECT_EQ(find("/two/*"), (Counts{{1, 2}}));
}

TEST_F(CraftedHistory, FailsOnAPieceOfAnotherSize) {
    ListEntry piece = repo_.piece({repo_.file("file"), repo_.file("gone")});
    piece.weight = 1;
    add({repo_.file("file")});
    add_root(repo_.folder_of("root", {0, {piece}}));
    for (auto const& message : {failure([&] { diff(0, 1); }), failure([&] { find("*"); }),
                                failure([&] { log("/gone"); })}) {
        EXPECT_TRUE(contains(message, piece.id.hex() + ": piece has another number of nodes"))
            << message;
    }
}

TEST_F(CraftedHistory, FailsOnARecipeOfAnotherSize) {
    ListEntry recipe = repo_.recipe(0, {repo_.piece({repo_.file("file")})});
    recipe.weight = 7;
    add({repo_.file("file")});
    add_root(repo_.folder_of("root", {1, {recipe}}));
    for (auto const& message : {failure([&] { diff(0, 1); }), failure([&] { find("*"); }),
                                failure([&] { log("/file"); })}) {
        EXPECT_TRUE(contains(message, recipe.id.hex() + ": recipe has another size")) << message;
    }
}

// 2^40 paths in 40 chunks.
TEST_F(CraftedHistory, FailsOnTreesThatHoldMoreThanTheySay) {
    Node node = repo_.folder("x", {});
    for (int i = 0; i < 40; ++i) {
        node = repo_.folder("x", {renamed(node, "a"), renamed(node, "b")});
    }
    add({});
    add({node});
    EXPECT_TRUE(contains(failure([&] { diff(0, 1); }), "the tree holds more than"));
    EXPECT_TRUE(contains(failure([&] { find("none"); }), "the tree holds more than"));
}

TEST_F(CraftedHistory, FailsOnTreesThatAreTooDeep) {
    Node node = repo_.folder("x", {});
    for (std::uint64_t i = 0; i <= limits::tree_depth; ++i) node = repo_.folder("x", {node});
    add({});
    add({node});
    EXPECT_TRUE(contains(failure([&] { diff(0, 1); }), "nested too deeply"));
    EXPECT_TRUE(contains(failure([&] { find("none"); }), "nested too deeply"));
}

}  // namespace
}  // namespace coffre
