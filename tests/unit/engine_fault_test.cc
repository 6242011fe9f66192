// Fails at store call 1, 2, 3, ... until the operation succeeds; after each failure the repository
// is what it was before, and works.
#include <gtest/gtest.h>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

struct Fault {
    FaultPlan::Scope scope;
    FaultPlan::Then then;
};

constexpr Fault all_faults[] = {
    {FaultPlan::Scope::changes, FaultPlan::Then::recover},
    {FaultPlan::Scope::changes, FaultPlan::Then::stay_broken},
    {FaultPlan::Scope::any, FaultPlan::Then::recover},
    {FaultPlan::Scope::any, FaultPlan::Then::stay_broken},
};

std::string fault_name(testing::TestParamInfo<Fault> const& fault) {
    return std::string(fault.param.scope == FaultPlan::Scope::any ? "Any" : "Changes") +
           (fault.param.then == FaultPlan::Then::recover ? "Recover" : "StayBroken");
}

class Faults : public testing::TestWithParam<Fault> {
protected:
    std::unique_ptr<FaultPlan> plan(std::uint64_t call) {
        return std::make_unique<FaultPlan>(call, GetParam().scope, GetParam().then,
                                           RepositoryFailure::no_space);
    }
};

INSTANTIATE_TEST_SUITE_P(Plans, Faults, testing::ValuesIn(all_faults), fault_name);

constexpr std::uint64_t call_limit = 500;  // more than any of the operations makes

TEST_P(Faults, InitLeavesAWholeRepositoryOrNone) {
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        auto const store = std::make_shared<MemoryBackend>();
        auto const fault = plan(call);
        auto const failing = std::make_shared<ObservedBackend>(
            *store, [&](Verb verb, std::string const& name) { (*fault)(verb, name); });
        TempFolder const folder;
        Credentials credentials;
        credentials.key_file = folder / "key";
        OpenOptions const options{folder / "cache", false};
        auto const failure =
            failure_of([&] { init_repository(failing, {}, credentials, options); });
        ASSERT_EQ(failure.has_value(), fault->has_failed()) << "call " << call;
        if (!failure) {
            EXPECT_GT(call, 3U);
            return;
        }
        EXPECT_EQ(failure, RepositoryFailure::no_space) << "call " << call;
        auto const again = store->stat(names::config)
                               ? open_repository(store, credentials, options)
                               : init_repository(store, {}, credentials, options);
        Progress progress;
        EXPECT_TRUE(check_repository(*again, CheckDepth::read_data, 1, progress).clean());
        EXPECT_EQ(store->list("keys/").size(), 1U) << "call " << call;
    }
    FAIL() << "never succeeds";
}

// Two states of a folder, the first of them saved.
class FaultySnapshot : public Faults {
protected:
    void SetUp() override {
        write_file(source_ / "same", random_bytes(1, 300'000));
        write_file(source_ / "other", "before");
        first_ = repo_.save(source_.path()).snapshot;
        first_tar_ = repo_.tar_of(first_);
        one_snapshot_ = repo_.store().objects();
        write_file(source_ / "other", "after");
        write_file(source_ / "new", random_bytes(2, 400'000));
    }
    // On another machine, which has looked at the repository: the barrier of the first look may
    // fail unnoticed.
    void begin_round() {
        repo_.reset_to(one_snapshot_);
        repo_.ids();
    }
    SnapshotRequest second() {
        auto request = saving({source_.path()});
        request.streams.push_back(stream("stream", random_bytes(3, 100'000)));
        return request;
    }
    // What ended it. Notes whether a failure was told, that one or another.
    std::optional<RepositoryFailure> take_second() {
        Progress progress;
        was_told_ = false;
        progress.on_failure = [this](auto const&, auto const&) { was_told_ = true; };
        auto request = second();
        auto const failure = failure_of([&] { take_snapshot(*repo_, request, progress); });
        was_told_ = was_told_ || failure;
        return failure;
    }
    void expect_sound(std::uint64_t call) {
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), std::vector<std::string>{})
            << "call " << call;
        EXPECT_EQ(repo_.tar_of(first_), first_tar_) << "call " << call;
    }
    void expect_second_is_whole(Snapshot const& snapshot) {
        EXPECT_EQ(repo_.dumped(snapshot, source_ / "other"), "after");
        EXPECT_EQ(repo_.dumped(snapshot, source_ / "new"), random_bytes(2, 400'000));
        EXPECT_EQ(repo_.dumped(snapshot, source_ / "same"), random_bytes(1, 300'000));
        EXPECT_EQ(repo_.dumped(snapshot, "stream"), random_bytes(3, 100'000));
    }

    TempFolder source_;
    TestRepo repo_;
    Snapshot first_;
    std::string first_tar_;
    std::map<std::string, Bytes> one_snapshot_;
    bool was_told_ = false;
};

INSTANTIATE_TEST_SUITE_P(Plans, FaultySnapshot, testing::ValuesIn(all_faults), fault_name);

TEST_P(FaultySnapshot, LeavesOldSnapshotsWholeAndTheNextOneWorks) {
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        begin_round();
        auto const fault = plan(call);
        repo_.observe([&](Verb verb, std::string const& name) { (*fault)(verb, name); });
        auto const failure = take_second();
        repo_.observe_nothing();
        ASSERT_EQ(was_told_, fault->has_failed()) << "call " << call;
        if (!was_told_) {
            EXPECT_GT(call, 8U);
            return expect_second_is_whole(repo_.find("latest").snapshot);
        }
        EXPECT_EQ(failure.value_or(RepositoryFailure::no_space), RepositoryFailure::no_space);
        expect_sound(call);
        EXPECT_TRUE(failure || repo_.ids().size() == 2) << "call " << call;
        // What comes after the slot may fail: then the snapshot is there, and must be whole.
        if (repo_.ids().size() == 2) expect_second_is_whole(repo_.find("latest").snapshot);
        expect_second_is_whole(repo_.take(second()).snapshot);
        repo_.reopen_elsewhere();
        expect_sound(call);
    }
    FAIL() << "never succeeds";
}

// The store forgets what was put since the last barrier when it breaks: a power failure.
TEST_P(FaultySnapshot, SurvivesTheLossOfWhatNoBarrierCovered) {
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        begin_round();
        auto durable = one_snapshot_;
        std::mutex mutex;
        auto const fault = plan(call);
        repo_.observe([&](Verb verb, std::string const& name) {
            (*fault)(verb, name);
            std::lock_guard const lock(mutex);
            if (verb == Verb::barrier && !fault->has_failed()) durable = repo_.store().objects();
        });
        auto const failure = take_second();
        repo_.observe_nothing();
        ASSERT_EQ(was_told_, fault->has_failed()) << "call " << call;
        if (!was_told_) {
            EXPECT_GT(call, 8U);
            return;
        }
        repo_.store().replace_all(durable);
        EXPECT_NO_THROW(repo_.reopen()) << "call " << call;
        expect_sound(call);
        EXPECT_TRUE(failure || repo_.ids().size() == 2) << "call " << call;
        expect_second_is_whole(repo_.take(second()).snapshot);
        expect_sound(call);
    }
    FAIL() << "never succeeds";
}

TEST_P(FaultySnapshot, ReadersReportAFaultOfTheStore) {
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        begin_round();
        auto const fault = plan(call);
        repo_.observe([&](Verb verb, std::string const& name) { (*fault)(verb, name); });
        std::string tar;
        auto const failure = failure_of([&] {
            EXPECT_TRUE(repo_.check(CheckDepth::read_data).clean());
            tar = repo_.tar_of(repo_.find("latest").snapshot);
        });
        repo_.observe_nothing();
        ASSERT_EQ(failure.has_value(), fault->has_failed()) << "call " << call;
        EXPECT_EQ(repo_.store().objects(), one_snapshot_);
        if (!failure) {
            EXPECT_EQ(tar, first_tar_);
            bool const changes_only = GetParam().scope == FaultPlan::Scope::changes;
            EXPECT_TRUE(changes_only ? call == 1 : call > 8) << "call " << call;
            return;
        }
    }
    FAIL() << "never succeeds";
}

TEST(FaultyRestore, ThatBreaksOffIsCompletedByTheNext) {
    TempFolder const source;
    write_rich_tree(source.path());
    TestRepo repo;
    auto const taken = repo.save(source.path());
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        TempFolder const target;
        RestoreRequest request;
        request.from = {{}, taken.snapshot, source.path()};
        request.target = target.path();
        request.threads = 2;
        request.privileged = true;
        FaultPlan fault(call, FaultPlan::Scope::any, FaultPlan::Then::recover,
                        RepositoryFailure::failed);
        repo.observe([&](Verb verb, std::string const& name) { fault(verb, name); });
        auto const failure = failure_of([&] { repo.restore(request); });
        repo.observe_nothing();
        ASSERT_EQ(failure.has_value(), fault.has_failed()) << "call " << call;
        request.overwrite = Overwrite::if_changed;
        repo.restore(request);
        EXPECT_EQ(image_of(target.path()), image_of(source.path())) << "call " << call;
        if (!failure) {
            EXPECT_GT(call, 4U);
            return;
        }
    }
    FAIL() << "never succeeds";
}

}  // namespace
}  // namespace coffre
