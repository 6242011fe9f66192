// Repositories that were made once, by tests/golden/make.sh, and must restore for ever.
#include <gtest/gtest.h>

#include "engine/keys.h"
#include "engine/repository/gc_state.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

std::string const golden = COFFRE_GOLDEN_DIR;

void unpack(std::string const& archive, std::string const& folder) {
    make_folder(folder);
    run_command("tar --warning=no-timestamp -xpf '" + golden + "/" + archive + ".tar' -C '" +
                folder + "'");
}

class Golden : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        unpack(GetParam(), folder_ / "store");
        unpack(has_lived() ? "v1-lived-expected" : "v1-expected", folder_ / "expected");
        if (GetParam() == "v1-encrypted") credentials_.key_file = golden + "/v1.key";
        if (has_lived()) credentials_.key_file = golden + "/v1-lived.key";
        repository_ = open(credentials_);
    }
    std::shared_ptr<Repository> open(Credentials const& credentials) {
        return open_repository(folder_ / "store", credentials, {folder_ / "cache", false});
    }
    static bool has_lived() { return GetParam() == "v1-lived"; }
    std::string expected(std::string const& name) { return folder_ / ("expected/" + name); }

    Progress progress_;
    TempFolder folder_;
    Credentials credentials_;
    std::shared_ptr<Repository> repository_;
};

INSTANTIATE_TEST_SUITE_P(V1, Golden, testing::Values("v1-encrypted", "v1-plain", "v1-lived"),
                         [](auto const& name) { return name.param.substr(3); });

TEST_P(Golden, IsWhole) {
    auto const report = check_repository(*repository_, CheckDepth::read_data, 1, progress_);
    EXPECT_EQ(report.errors, std::vector<std::string>{});
    EXPECT_EQ(report.warnings, std::vector<std::string>{});
    EXPECT_EQ(report.snapshots, 2U);
    EXPECT_GE(report.packs, 4U);
}

TEST_P(Golden, RestoresEverySnapshotExactly) {
    auto const list = list_snapshots(*repository_);
    ASSERT_EQ(list.snapshots.size(), 2U);
    for (int moment : {1, 2}) {
        auto const& named = list.snapshots[static_cast<std::size_t>(moment - 1)];
        std::string const number = std::to_string(moment);
        RestoreRequest request;
        request.from = {named.id, named.snapshot, named.snapshot.paths.at(0)};
        request.target = folder_ / ("restored-" + number);
        request.verify = true;
        auto const result = restore_snapshot(*repository_, request, progress_);
        EXPECT_TRUE(result.failures.empty());
        EXPECT_TRUE(result.damaged.empty());
        TreeImage const image = image_of(request.target);
        EXPECT_EQ(image, image_of(expected(number)));
        EXPECT_EQ(image.size(), has_lived() ? 157U : 10U);
        for (auto const* file : has_lived()
                                    ? std::vector{"/long", "/sparse", "/folder/first"}
                                    : std::vector{"/text", "/noise", "/folder/deep/hello"}) {
            EXPECT_EQ(read_file(request.target + file), read_file(expected(number + file)));
        }
    }
}

TEST_P(Golden, DumpsTheStreams) {
    auto const list = list_snapshots(*repository_);
    ASSERT_EQ(list.snapshots.size(), 2U);
    for (std::size_t i : {0U, 1U}) {
        std::string dump;
        dump_file(*repository_, list.snapshots[i].snapshot, "dump.sql",
                  [&](ByteView part) { dump += to_text(part); });
        EXPECT_EQ(dump, read_file(expected("stream-" + std::to_string(i + 1))));
        EXPECT_GT(dump.size(), 10'000U);
    }
}

TEST_P(Golden, SaysWhatItShows) {
    auto const list = list_snapshots(*repository_);
    ASSERT_EQ(list.snapshots.size(), 2U);
    Snapshot const& first = list.snapshots[0].snapshot;
    Snapshot const& second = list.snapshots[1].snapshot;
    EXPECT_EQ(first.host, has_lived() ? "lived" : "golden");
    EXPECT_EQ(first.tags, std::vector<std::string>{"moment-1"});
    EXPECT_EQ(first.time_ns, parse_time("2026-01-10T12:00:00Z"));
    EXPECT_EQ(second.time_ns, parse_time("2026-02-10T12:00:00Z"));
    EXPECT_EQ(second.previous, list.snapshots[0].id);
    EXPECT_EQ(second.parent, list.snapshots[0].id);
    EXPECT_EQ(first.pinned, has_lived());
    EXPECT_EQ(second.streams, std::vector<std::string>{"dump.sql"});
    EXPECT_EQ(first.failure_count, 0U);
}

TEST_P(Golden, TakesANewSnapshot) {
    auto request = saving({expected("2")});
    request.streams.push_back(stream("late.sql", "new"));
    auto const taken = take_snapshot(*repository_, request, progress_);
    EXPECT_LT(taken.snapshot.statistics.bytes_added, 20'000U);  // the contents are known
    EXPECT_GT(taken.snapshot.statistics.chunks_reused, 2U);
    EXPECT_TRUE(check_repository(*repository_, CheckDepth::read_data, 1, progress_).clean());
}

// It has two keys and two master secrets.
TEST(GoldenLived, OpensWithItsPassphrase) {
    TempFolder folder;
    unpack("v1-lived", folder / "store");
    Credentials credentials;
    credentials.passphrase = read_file(golden + "/v1-lived.pass");
    credentials.passphrase->pop_back();  // the line feed
    auto const repository =
        open_repository(folder / "store", credentials, {folder / "cache", false});
    EXPECT_EQ(repository->keys().newest_epoch(), 2U);
    EXPECT_EQ(list_keys(*repository).slots.size(), 2U);
}

// One snapshot was given up and collected, one replaced when it was pinned, one writer was killed.
TEST(GoldenLived, HasALog) {
    TempFolder folder;
    unpack("v1-lived", folder / "store");
    Credentials credentials;
    credentials.key_file = golden + "/v1-lived.key";
    auto const repository =
        open_repository(folder / "store", credentials, {folder / "cache", false});
    auto const log = read_gc_log(repository->store(), repository->keys());
    EXPECT_EQ(log.next_record, 2U);
    EXPECT_FALSE(log.swept.empty());
    EXPECT_EQ(repository->store().list("forgets/").size(), 2U);
    EXPECT_EQ(repository->store().list("snapshots/").size(), 5U);
}

}  // namespace
}  // namespace coffre
