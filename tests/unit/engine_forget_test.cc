// Which snapshots the rules keep, and what forgetting refuses.
#include "engine/forget.h"

#include <gtest/gtest.h>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

// Oldest first, at these local times.
std::vector<NamedSnapshot> at_times(std::vector<std::string> const& times) {
    std::vector<NamedSnapshot> group;
    for (auto const& time : times) {
        NamedSnapshot named;
        named.id.bytes[0] = static_cast<std::byte>(group.size());
        named.snapshot.time_ns = parse_time(time);
        group.push_back(std::move(named));
    }
    return group;
}

std::int64_t const far_future = parse_time("2100-01-01");

// The times of those that are kept, oldest first.
std::vector<std::size_t> kept(std::vector<NamedSnapshot> const& group, RetentionRules const& rules,
                              std::int64_t now = far_future) {
    std::vector<std::size_t> places;
    auto const decisions = apply_rules(group, rules, now);
    for (std::size_t i = 0; i < decisions.size(); ++i) {
        if (decisions[decisions.size() - 1 - i].is_kept()) places.push_back(i);
    }
    return places;
}

using Places = std::vector<std::size_t>;

TEST(Retention, KeepsTheLast) {
    auto const group = at_times({"2026-01-01", "2026-01-02", "2026-01-03"});
    RetentionRules rules;
    rules.count.last = 2;
    EXPECT_EQ(kept(group, rules), (Places{1, 2}));
    rules.count.last = keep_all;
    EXPECT_EQ(kept(group, rules), (Places{0, 1, 2}));
}

TEST(Retention, KeepsTheNewestOfEachDayThatHasAny) {
    auto const group = at_times({"2026-01-01 05:00", "2026-01-01 08:00", "2026-01-01 23:00",
                                 "2026-01-05 00:30", "2026-01-05 10:00", "2026-01-09 10:00"});
    RetentionRules rules;
    rules.count.daily = 2;
    EXPECT_EQ(kept(group, rules), (Places{4, 5}));
    rules.count.daily = 3;
    EXPECT_EQ(kept(group, rules), (Places{2, 4, 5}));
}

TEST(Retention, KeepsTheOldestOfAGroupThatIsYoungerThanTheRule) {
    auto const group = at_times({"2026-03-01", "2026-03-02", "2026-03-03"});
    RetentionRules rules;
    rules.count.yearly = 5;
    EXPECT_EQ(kept(group, rules), (Places{0, 2}));
}

TEST(Retention, KnowsHoursWeeksMonthsAndYears) {
    auto const group =
        at_times({"2024-06-01", "2025-12-28 12:00", "2025-12-29 12:00", "2026-01-04 12:00",
                  "2026-01-05 12:00", "2026-01-05 12:59", "2026-01-05 13:00"});
    auto const with = [&](unsigned RetentionRules::Count::*field, unsigned n) {
        RetentionRules rules;
        rules.count.*field = n;
        return kept(group, rules);
    };
    EXPECT_EQ(with(&RetentionRules::Count::hourly, 2), (Places{5, 6}));
    // The week of 29 December ends on 4 January.
    EXPECT_EQ(with(&RetentionRules::Count::weekly, 3), (Places{1, 3, 6}));
    EXPECT_EQ(with(&RetentionRules::Count::monthly, 2), (Places{2, 6}));
    EXPECT_EQ(with(&RetentionRules::Count::yearly, 2), (Places{2, 6}));
}

TEST(Retention, CountsSpansFromTheNewest) {
    auto const group = at_times({"2025-12-31 11:00", "2026-01-31 10:00", "2026-01-31 12:00",
                                 "2026-02-27 12:00", "2026-03-02 12:00"});
    RetentionRules rules;
    rules.within.all = parse_span("3d");
    EXPECT_EQ(kept(group, rules), (Places{3, 4}));
    rules.within.all = parse_span("2m1d1h");
    EXPECT_EQ(kept(group, rules), (Places{1, 2, 3, 4}));
    rules.within = {};
    rules.within.daily = parse_span("1y");
    EXPECT_EQ(kept(group, rules), (Places{0, 2, 3, 4}));
}

TEST(Retention, ASpanMayGoBackFurtherThanTimeDoes) {
    auto const group = at_times({"1700-01-01", "1990-01-01", "2026-03-02"});
    RetentionRules rules;
    for (auto const& [span, places] :
         std::map<std::string, Places>{{"35y", {2}},
                                       {"999999h", {1, 2}},
                                       {"300y", {1, 2}},
                                       {"400y", {0, 1, 2}},
                                       {"999y", {0, 1, 2}},
                                       {"999999y", {0, 1, 2}},
                                       {"999999m", {0, 1, 2}},
                                       {"999999d", {0, 1, 2}},
                                       {"999999y999999m999999d999999h", {0, 1, 2}}}) {
        rules.within = {};
        rules.within.all = parse_span(span);
        EXPECT_EQ(kept(group, rules), places) << span;
        rules.within = {};
        rules.within.daily = parse_span(span);
        EXPECT_EQ(kept(group, rules), places) << span;
    }
}

TEST(Retention, WhatIsDatedInTheFuturePushesNobodyOut) {
    auto const group = at_times({"2026-01-01", "2026-01-02", "2030-01-01"});
    RetentionRules rules;
    rules.count.last = 1;
    EXPECT_EQ(kept(group, rules, parse_time("2026-01-03")), (Places{1, 2}));
    rules = {};
    rules.within.all = parse_span("1d");
    EXPECT_EQ(kept(group, rules, parse_time("2026-01-03")), (Places{0, 1, 2}));
}

TEST(Retention, KeepsTheNewestCompleteOneBehindIncompleteOnes) {
    auto group = at_times({"2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2030-01-01"});
    RetentionRules rules;
    rules.count.last = 1;
    auto const now = parse_time("2026-01-05");
    EXPECT_EQ(kept(group, rules, now), (Places{3, 4}));
    group[3].snapshot.failure_count = 1;
    EXPECT_EQ(kept(group, rules, now), (Places{2, 3, 4}));
    group[2].snapshot.failure_count = 7;
    EXPECT_EQ(kept(group, rules, now), (Places{1, 3, 4}));
    EXPECT_EQ(apply_rules(group, rules, now)[3].reasons,
              (std::vector<std::string>{"newest complete"}));
    for (auto& named : group) named.snapshot.failure_count = 1;
    EXPECT_EQ(kept(group, rules, now), (Places{3, 4}));
}

// Hours are as long as they are: this one the clocks of Berlin show twice.
TEST(Retention, CountsHoursAlsoWhereClocksAreSetBack) {
    char const* const zone = std::getenv("TZ");
    std::string const before = zone != nullptr ? zone : "";
    ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    ::tzset();
    RetentionRules rules;
    rules.within.all = parse_span("1h");
    auto const group = at_times({"2025-10-25T23:20:00Z", "2025-10-25T23:40:00Z",
                                 "2025-10-26T00:10:00Z", "2025-10-26T00:30:00Z"});
    EXPECT_EQ(kept(group, rules), (Places{1, 2, 3}));
    zone != nullptr ? ::setenv("TZ", before.c_str(), 1) : ::unsetenv("TZ");
    ::tzset();
}

TEST(Retention, KeepsPinnedAndTaggedOnes) {
    auto group = at_times({"2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"});
    group[0].snapshot.pinned = true;
    group[1].snapshot.tags = {"a", "b"};
    group[2].snapshot.tags = {"a"};
    RetentionRules rules;
    rules.count.last = 1;
    rules.tags = {"a,b"};
    EXPECT_EQ(kept(group, rules), (Places{0, 1, 3}));
}

TEST(Retention, SpansAreYearsMonthsDaysHours) {
    auto const span = parse_span("2y5m7d3h");
    EXPECT_EQ(span.years, 2);
    EXPECT_EQ(span.months, 5);
    EXPECT_EQ(span.days, 7);
    EXPECT_EQ(span.hours, 3);
    EXPECT_EQ(parse_span("30d").days, 30);
    for (auto const& wrong : {"", "3", "d", "1d2y", "1d1d", "0d", "-1d", "1x", "9999999d", "1d "}) {
        EXPECT_THROW(parse_span(wrong), std::invalid_argument) << wrong;
    }
}

class Forget : public testing::Test {
protected:
    void SetUp() override {
        write_file(source_ / "same", random_bytes(1, 100'000));
        for (unsigned i = 0; i < 5; ++i) {
            write_file(source_ / "file", random_bytes(10 + i, 50'000));
            auto request = saving({source_.path()});
            request.time_ns = parse_time("2026-01-0" + std::to_string(i + 1));
            taken_.push_back(repo_.take(std::move(request)));
        }
    }
    ForgetReport run(ForgetRequest const& request) {
        Progress progress;
        return forget(*repo_, request, progress);
    }
    static ForgetRequest keeping(unsigned last) {
        ForgetRequest request;
        request.rules.count.last = last;
        return request;
    }
    std::vector<std::string> ids(std::vector<std::size_t> const& places) {
        std::vector<std::string> ids;
        for (auto const place : places) ids.push_back(taken_[place].id->hex());
        return ids;
    }

    TempFolder source_;
    TestRepo repo_{Mode::encrypted, {4096, 16384, 65536}};
    std::vector<SnapshotResult> taken_;
};

TEST_F(Forget, ByRulesAndSaysWhatThatFrees) {
    auto const report = run(keeping(3));
    EXPECT_EQ(report.removed(), 2U);
    for (auto const& [id, bytes] : report.freed) {
        EXPECT_GT(bytes, 50'000U);
        EXPECT_LT(bytes, 60'000U);
    }
    EXPECT_EQ(repo_.ids(), ids({2, 3, 4}));
    EXPECT_EQ(repo_.errors(), std::vector<std::string>{});
}

// Of each that stays, what forgetting it alone would free; the last one has a file again that only
// the first had.
TEST_F(Forget, SaysWhatEachThatStaysNeedsAlone) {
    write_file(source_ / "file", random_bytes(10, 50'000));
    taken_.push_back(repo_.save(source_.path()));
    auto request = keeping(1'000);
    EXPECT_TRUE(run(request).alone.empty());
    request.measure_kept = true;
    auto const alone = run(request).alone;
    ASSERT_EQ(alone.size(), taken_.size());
    for (auto const& taken : taken_) {
        ForgetRequest one;
        one.names = {taken.id->hex()};
        one.dry_run = true;
        EXPECT_EQ(alone.at(*taken.id), run(one).freed.at(*taken.id)) << taken.id->hex();
    }
    EXPECT_LT(alone.at(*taken_[0].id), 10'000U);
    EXPECT_GT(alone.at(*taken_[1].id), 50'000U);
    // Of what goes nothing counts.
    request = keeping(1);
    request.measure_kept = request.allow_many = true;
    auto const last = run(request).alone;
    ASSERT_EQ(last.size(), 1U);
    EXPECT_GT(last.begin()->second, 150'000U);
}

TEST_F(Forget, NothingInADryRun) {
    auto const before = repo_.store().objects();
    auto request = keeping(3);
    request.dry_run = true;
    EXPECT_EQ(run(request).removed(), 2U);
    EXPECT_EQ(repo_.store().objects(), before);
}

TEST_F(Forget, NeitherAllNorMostUnlessToldSo) {
    auto request = keeping(2);
    EXPECT_EQ(failure_of([&] { run(request); }), RepositoryFailure::failed);
    EXPECT_EQ(repo_.ids().size(), 5U);
    request.filter.paths = {source_.path()};
    EXPECT_TRUE(contains(message_of([&] { run(request); }), "3 of 5 chosen snapshots"));
    request.allow_many = true;
    EXPECT_EQ(run(request).removed(), 3U);
    EXPECT_EQ(repo_.ids(), ids({3, 4}));
    ForgetRequest all;
    all.names = ids({3, 4});
    EXPECT_TRUE(contains(message_of([&] { run(all); }), "all 2 snapshots"));
    EXPECT_EQ(repo_.ids().size(), 2U);
}

TEST_F(Forget, GroupsByHostAndPaths) {
    auto request = saving({source_.path()});
    request.host = "other";
    auto const other = repo_.take(std::move(request));
    auto const report = run(keeping(3));
    EXPECT_EQ(report.groups.size(), 2U);
    EXPECT_EQ(report.removed(), 2U);
    EXPECT_EQ(repo_.ids().size(), 4U);
}

TEST_F(Forget, WithoutRulesIsAMistake) {
    EXPECT_THROW(run({}), std::invalid_argument);
}

TEST_F(Forget, ByNameOrByRulesButNotByBoth) {
    auto request = keeping(3);
    request.names = ids({0});
    EXPECT_THROW(run(request), std::invalid_argument);
    EXPECT_EQ(repo_.ids().size(), 5U);
}

TEST_F(Forget, ASnapshotThatCannotBeReadByItsFullId) {
    std::string const name = names::snapshot(*taken_[1].id);
    Bytes bytes = repo_.store().objects().at(name);
    bytes[bytes.size() / 2] ^= std::byte{1};
    repo_.store().remove(name);
    repo_.put(name, bytes);
    EXPECT_EQ(failure_of([&] { run(keeping(3)); }), RepositoryFailure::corrupt);
    ForgetRequest request;
    request.names = ids({1});
    EXPECT_EQ(run(request).removed(), 1U);
    EXPECT_EQ(run(keeping(3)).removed(), 1U);
    EXPECT_EQ(repo_.ids(), ids({2, 3, 4}));
}

TEST_F(Forget, GroupsAreNamedByWords) {
    EXPECT_TRUE(parse_group_by("host,tags").tags);
    EXPECT_FALSE(parse_group_by("host").paths);
    EXPECT_FALSE(parse_group_by("").host);
    EXPECT_THROW(parse_group_by("hots"), std::invalid_argument);
}

}  // namespace
}  // namespace coffre
