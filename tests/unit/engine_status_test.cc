// What `status` tells of a repository.
#include "engine/status.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <numeric>

#include "engine/crypto/key_ring.h"
#include "engine/forget.h"
#include "engine/prune.h"
#include "engine_test_repo.h"
#include "format/session.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t day_s = 86'400;

class Status : public testing::Test {
protected:
    Status() {
        write_file(source_ / "one", random_bytes(1, 100'000));
        make_folder(source_ / "sub");
    }

    SnapshotResult save(std::string const& host, Names paths,
                        std::optional<std::int64_t> time_s = std::nullopt) {
        auto request = saving(std::move(paths));
        request.host = host;
        if (time_s) request.time_ns = *time_s * second_ns;
        return repo_.take(std::move(request));
    }
    RepositoryStatus status(StatusRequest const& request = {}) {
        return gather_status(*repo_, request);
    }
    RepositoryStatus status_at(std::int64_t now_ns) { return status({{}, "", now_ns}); }

    // The record of a session that has not published anything.
    SessionId begin_session(SessionRecord const& record) {
        SessionId const id = random_id<SessionId>();
        std::string const name = names::session(id);
        repo_.put(name,
                  repo_->keys().seal_object(ObjectKind::session, name, encode_session(record)));
        return id;
    }
    std::vector<PackId> packs() {
        std::vector<PackId> ids;
        for (auto const& name : repo_.objects("packs/")) {
            ids.push_back(*PackId::parse(last_component(name)));
        }
        return ids;
    }
    void flip(std::string const& name) {
        auto objects = repo_.store().objects();
        objects[name][objects[name].size() / 2] ^= std::byte{1};
        repo_.store().replace_all(objects);
    }

    TempFolder source_;
    TestRepo repo_{Mode::encrypted};
};

TEST_F(Status, AnEmptyRepositoryHasNothing) {
    auto const found = status();
    EXPECT_TRUE(found.groups.empty());
    EXPECT_TRUE(found.errors.empty());
    EXPECT_TRUE(found.open_sessions.empty());
    EXPECT_FALSE(found.condemned);
    EXPECT_FALSE(found.last_check);
    EXPECT_EQ(found.packs, 0U);
    EXPECT_EQ(found.verification.packs_never, 0U);
}

// What a collection finds; only where that is asked for.
TEST_F(Status, CountsGarbage) {
    auto const first = save("a", {source_.path()});
    write_file(source_ / "one", random_bytes(2, 100'000));
    save("a", {source_.path()});
    StatusRequest counting;
    counting.with_garbage = true;
    auto const before = status(counting).garbage;
    ASSERT_TRUE(before);
    EXPECT_EQ(before->packs, 0U);
    EXPECT_EQ(before->bytes, 0U);
    ForgetRequest forgetting;
    forgetting.names = {first.id->hex()};
    Progress progress;
    forget(*repo_, forgetting, progress);
    EXPECT_FALSE(status().garbage);
    auto const objects = repo_.store().objects();
    auto const garbage = status(counting).garbage;
    EXPECT_EQ(repo_.store().objects(), objects);
    ASSERT_TRUE(garbage);
    EXPECT_GT(garbage->bytes, 90'000U);
    EXPECT_EQ(prune(*repo_, {}, progress).removed.packs, garbage->packs);
    EXPECT_EQ(status(counting).garbage->bytes, 0U);
}

TEST_F(Status, SaysWhyGarbageCannotBeCounted) {
    save("a", {source_.path()});
    for (auto const& name : repo_.objects("packs/")) repo_.store().remove(name);
    repo_.reopen_elsewhere();
    StatusRequest counting;
    counting.with_garbage = true;
    auto const found = status(counting);
    EXPECT_FALSE(found.garbage);
    EXPECT_EQ(found.errors.size(), 1U);
}

TEST_F(Status, GroupsByHostPathsAndStreams) {
    save("b", {source_.path()}, 3000);
    auto const newest = save("a", {source_.path()}, 2000);
    save("a", {source_.path()}, 1000);
    save("a", {source_ / "sub", source_ / "one"}, 1500);
    auto request = saving({source_.path()});
    request.host = "a";
    request.streams.push_back(stream("db.sql", "select"));
    repo_.take(std::move(request));
    auto const groups = status().groups;
    ASSERT_EQ(groups.size(), 4U);
    EXPECT_EQ(groups[0].newest.id, newest.id);
    EXPECT_EQ(groups[0].snapshots, 2U);
    EXPECT_EQ(groups[1].newest.snapshot.streams, Names{"db.sql"});
    EXPECT_EQ(groups[2].newest.snapshot.paths, (Names{source_ / "one", source_ / "sub"}));
    EXPECT_EQ(groups[3].newest.snapshot.host, "b");
    EXPECT_EQ(groups[3].snapshots, 1U);
}

// As when a path was added to a job. A run of less, or of another host, is no reason to be silent.
TEST_F(Status, AGroupIsSupersededByANewerOneThatHasAllOfIt) {
    save("a", {source_ / "one"}, 1000);
    save("b", {source_ / "one"}, 1000);
    save("a", {source_ / "one", source_ / "sub"}, 2000);
    save("b", {source_ / "sub"}, 2000);
    std::map<std::pair<std::string, std::size_t>, bool> superseded;
    for (auto const& group : status_at(3000 * second_ns).groups) {
        Snapshot const& newest = group.newest.snapshot;
        bool& any = superseded[{newest.host, newest.paths.size()}];
        any = any || group.is_superseded;
    }
    EXPECT_EQ(superseded, (std::map<std::pair<std::string, std::size_t>, bool>{
                              {{"a", 1}, true}, {{"a", 2}, false}, {{"b", 1}, false}}));
    save("a", {source_ / "one"}, 3000);
    for (auto const& group : status_at(3000 * second_ns).groups) EXPECT_FALSE(group.is_superseded);
}

// Else it would be silent about what grows old, until the clock has come so far.
TEST_F(Status, NoGroupIsSupersededByOneThatIsAhead) {
    save("a", {source_ / "one"}, 1000);
    save("a", {source_ / "one", source_ / "sub"}, 20'000);
    auto const groups = status_at(3000 * second_ns).groups;
    ASSERT_EQ(groups.size(), 2U);
    for (auto const& group : groups) EXPECT_FALSE(group.is_superseded);
}

TEST_F(Status, AFilterNarrowsTheGroups) {
    save("a", {source_.path()});
    save("b", {source_.path()});
    StatusRequest request;
    request.filter.hosts = {"b"};
    auto const groups = status(request).groups;
    ASSERT_EQ(groups.size(), 1U);
    EXPECT_EQ(groups[0].newest.snapshot.host, "b");
}

TEST_F(Status, AgeIsThatOfWhatTheSnapshotShows) {
    save("a", {source_.path()}, 1000);
    EXPECT_EQ(status_at(1600 * second_ns).groups.at(0).age_s, 600);
}

TEST_F(Status, ATimeThatLiesAheadMakesNoSnapshotYoung) {
    auto const taken = save("a", {source_.path()}, 4'000'000'000);
    auto const now_ns = taken.snapshot.started_ns + 600 * second_ns;
    EXPECT_EQ(status_at(now_ns).groups.at(0).age_s, 600);
}

TEST_F(Status, ATimeThatLiesAheadHidesNoSnapshotThatIsNewer) {
    save("a", {source_.path()}, 4'000'000'000);
    auto const newest = save("a", {source_.path()});
    save("a", {source_.path()}, 1000);
    auto const group = status_at(newest.snapshot.time_ns + 60 * second_ns).groups.at(0);
    EXPECT_EQ(group.newest.id, newest.id);
    EXPECT_EQ(group.newest_ns, newest.snapshot.time_ns);
    EXPECT_EQ(group.age_s, 60);
    EXPECT_EQ(group.snapshots, 3U);
}

TEST_F(Status, CountsWhatIsStored) {
    save("a", {source_.path()});
    auto const objects = repo_.store().objects();
    auto const bytes = std::accumulate(
        objects.begin(), objects.end(), std::uint64_t{0},
        [](std::uint64_t sum, auto const& object) { return sum + object.second.size(); });
    EXPECT_EQ(status().stored_bytes, bytes);
    EXPECT_EQ(status().packs, packs().size());
}

TEST_F(Status, GrowthIsThatOfTheLastDays) {
    auto const first = save("a", {source_.path()});
    write_file(source_ / "two", random_bytes(2, 200'000));
    auto const second = save("a", {source_.path()});
    auto const stored =
        first.snapshot.statistics.bytes_stored + second.snapshot.statistics.bytes_stored;
    auto const begin_ns = second.snapshot.started_ns;
    auto const soon = status_at(begin_ns + 6 * day_s * second_ns).growth;
    ASSERT_EQ(soon.size(), 2U);
    EXPECT_EQ(soon[0].days, 7U);
    EXPECT_EQ(soon[0].snapshots, 2U);
    EXPECT_EQ(soon[0].bytes_stored, stored);
    EXPECT_EQ(soon[1].bytes_stored, stored);
    auto const later = status_at(begin_ns + 8 * day_s * second_ns).growth;
    EXPECT_EQ(later[0].snapshots, 0U);
    EXPECT_EQ(later[1].days, 30U);
    EXPECT_EQ(later[1].bytes_stored, stored);
    EXPECT_EQ(status_at(begin_ns + 31 * day_s * second_ns).growth[1].snapshots, 0U);
    EXPECT_EQ(status_at(begin_ns - day_s * second_ns).growth[0].snapshots, 0U);
}

TEST_F(Status, ReadsNeitherTreesNorBundles) {
    save("a", {source_.path()});
    repo_.reopen_elsewhere();
    repo_.observe([&](Verb verb, std::string const& name) {
        bool const is_listing = verb == Verb::list || verb == Verb::barrier;
        EXPECT_TRUE(is_listing || !name.starts_with("packs/")) << name;
        EXPECT_TRUE(is_listing || !name.starts_with("bundles/")) << name;
        EXPECT_TRUE(verb != Verb::put && verb != Verb::remove) << name;
    });
    EXPECT_EQ(status().groups.size(), 1U);
}

TEST_F(Status, ADamagedSlotHidesNoOther) {
    save("a", {source_.path()});
    auto const damaged = names::snapshot(*save("b", {source_.path()}).id);
    flip(damaged);
    auto const found = status();
    ASSERT_EQ(found.errors.size(), 1U);
    EXPECT_TRUE(contains(found.errors[0], damaged));
    ASSERT_EQ(found.groups.size(), 1U);
    EXPECT_EQ(found.groups[0].newest.snapshot.host, "a");
    EXPECT_TRUE(found.open_sessions.empty());
}

TEST_F(Status, TellsOfOpenSessions) {
    save("a", {source_.path()});
    EXPECT_TRUE(status().open_sessions.empty());
    SessionRecord record;
    record.host = "elsewhere";
    record.pid = 4711;
    record.created_ns = 5 * second_ns;
    auto const id = begin_session(record);
    auto const open = status().open_sessions;
    ASSERT_EQ(open.size(), 1U);
    EXPECT_EQ(open[0].id, id);
    EXPECT_EQ(open[0].host, "elsewhere");
    EXPECT_EQ(open[0].pid, 4711U);
    EXPECT_EQ(open[0].begun_ns, 5 * second_ns);
    EXPECT_FALSE(open[0].has_ended);
    repo_.append_log({LogKind::checkpoint, {}, {}, {id}});
    EXPECT_TRUE(status().open_sessions.empty());
}

TEST_F(Status, ASessionIsOpenUntilItsSlotIsMade) {
    std::vector<UnfinishedSession> open;
    repo_.observe([&, done = false](Verb verb, std::string const& name) mutable {
        if (done || verb != Verb::put || !name.starts_with("snapshots/")) return;
        done = true;
        open = status().open_sessions;
    });
    save("a", {source_.path()});
    repo_.observe_nothing();
    ASSERT_EQ(open.size(), 1U);
    EXPECT_EQ(open[0].pid, static_cast<std::uint64_t>(::getpid()));
    EXPECT_FALSE(open[0].has_ended);
    EXPECT_TRUE(status().open_sessions.empty());
}

TEST_F(Status, ADamagedSessionRecordIsAnError) {
    auto const id = begin_session({});
    flip(names::session(id));
    EXPECT_TRUE(any_contains(status().errors, names::session(id)));
}

TEST_F(Status, TellsOfCondemnedPacksUntilTheyAreSwept) {
    save("a", {source_.path()});
    auto const all = packs();
    repo_.append_log({LogKind::condemn, {all[0]}, {}, {}});
    auto const condemned = status().condemned;
    ASSERT_TRUE(condemned);
    EXPECT_EQ(condemned->packs, 1U);
    EXPECT_EQ(condemned->bytes, repo_.store().stat(names::pack(all[0]))->size);
    repo_.append_log({LogKind::sweep, {all[0]}, {}, {}});
    EXPECT_FALSE(status().condemned);
    // What is swept is no longer there, whether its file is or not.
    EXPECT_EQ(status().verification.packs_never, all.size() - 1);
}

TEST_F(Status, TellsWhatWasNeverVerified) {
    save("a", {source_.path()});
    std::uint64_t bytes = 0;
    for (auto const& id : packs()) bytes += repo_.store().stat(names::pack(id))->size;
    EXPECT_EQ(status().verification.packs_never, packs().size());
    EXPECT_EQ(status().verification.bytes_never, bytes);
    repo_.check(CheckDepth::read_data);
    EXPECT_EQ(status().verification.bytes_never, 0U);
    EXPECT_TRUE(status().verification.oldest_s);
    EXPECT_TRUE(status().last_read_data);
}

TEST(SharingAFileSystem, KnowsPathsThatAreOnTheSame) {
    TempFolder const folder;
    make_folder(folder / "repository");
    write_file(folder / "file", "");
    EXPECT_EQ(sharing_a_file_system(folder / "repository",
                                    {folder / "file", "/proc", folder / "missing", folder.path()}),
              (Names{folder / "file", folder.path()}));
    EXPECT_EQ(sharing_a_file_system(folder / "missing", {folder.path()}), Names{});
    EXPECT_EQ(sharing_a_file_system("", {folder.path()}), Names{});
}

TEST_F(Status, OnlyPathsOfThisMachineAreBesideTheRepository) {
    TempFolder const repository;
    save("not this machine", {source_.path()});
    EXPECT_EQ(status({{}, repository.path(), {}}).paths_beside, Names{});
    save("", {source_.path()});
    EXPECT_EQ(status({{}, repository.path(), {}}).paths_beside, Names{source_.path()});
    EXPECT_EQ(status({{}, "/proc", {}}).paths_beside, Names{});
}

}  // namespace
}  // namespace coffre
