// Copies into another repository: other keys, other chunks, the same snapshots.
#include "engine/copy.h"

#include <gtest/gtest.h>

#include <atomic>

#include "engine/forget.h"
#include "engine/prune.h"
#include "engine/repair.h"
#include "engine/repository/forgets.h"
#include "engine/snapshot/arrivals.h"
#include "engine/tag.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;
using Names = std::vector<std::string>;

struct Modes {
    Mode from;
    Mode to;
};

class Copy : public testing::TestWithParam<Modes> {
protected:
    void SetUp() override {
        write_rich_tree(source_.path());
        write_file(source_ / "large", random_bytes(1, 700'000));
        first_ = from_.save(source_.path());
    }
    // A second snapshot: one file is new, one is gone, the others are as they were.
    void go_on() {
        write_file(source_ / "later", random_bytes(2, 90'000));
        run_command("rm '" + source_ / "large" + "'");
        second_ = from_.save(source_.path());
    }
    CopyReport copy(CopyRequest const& request = {}) {
        Progress progress;
        return copy_snapshots(*from_, *to_, request, progress, {});
    }
    void damage_trees(TestRepo& repo, Names const& packs) {
        auto const view = repo->index_view();
        for (auto const& name : packs) {
            auto const number = view.number(*PackId::parse(last_component(name)));
            if (view.directory(*number).kind != PackKind::meta) continue;
            Bytes bytes = repo.store().objects().at(name);
            bytes[bytes.size() / 3] ^= std::byte{1};
            repo.store().remove(name);
            repo.put(name, bytes);
        }
    }
    std::uint64_t bytes_in(TestRepo& repo) {
        std::uint64_t bytes = 0;
        for (auto const& object : repo.store().list("packs/")) bytes += object.size;
        return bytes;
    }

    TempFolder source_;
    TestRepo from_{GetParam().from, {4096, 16384, 65536}};
    TestRepo to_{GetParam().to, {2048, 8192, 32768}};
    SnapshotResult first_;
    SnapshotResult second_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Copy,
                         testing::Values(Modes{Mode::encrypted, Mode::encrypted},
                                         Modes{Mode::none, Mode::encrypted},
                                         Modes{Mode::encrypted, Mode::none}),
                         [](auto const& modes) {
                             auto const name = [](Mode mode) {
                                 return std::string(mode == Mode::none ? "Plain" : "Encrypted");
                             };
                             return name(modes.param.from) + "To" + name(modes.param.to);
                         });

TEST_P(Copy, IsTheSameSnapshotWithoutTheRepositoryItCameFrom) {
    SnapshotRequest request = saving({source_.path()});
    request.streams.push_back(stream("db.sql", compressible_text(3, 200'000)));
    request.tags = {"nightly"};
    request.host = "elsewhere";
    auto const with_stream = from_.take(std::move(request));
    auto const report = copy();
    ASSERT_EQ(report.errors, Names{});
    ASSERT_EQ(report.copied.size(), 2U);
    to_.reopen_elsewhere();
    auto const copied = list_snapshots(*to_).snapshots;
    ASSERT_EQ(copied.size(), 2U);
    EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
    EXPECT_EQ(to_.tar_of(copied[0].snapshot), from_.tar_of(first_.snapshot));
    EXPECT_EQ(to_.tar_of(copied[1].snapshot), from_.tar_of(with_stream.snapshot));
    Snapshot const& snapshot = copied[1].snapshot;
    EXPECT_EQ(snapshot.tags, Names{"nightly"});
    EXPECT_EQ(snapshot.host, "elsewhere");
    EXPECT_EQ(snapshot.streams, Names{"db.sql"});
    EXPECT_EQ(snapshot.time_ns, with_stream.snapshot.time_ns);
    EXPECT_EQ(snapshot.root.digest, with_stream.snapshot.root.digest);
}

TEST_P(Copy, TakesOnlyWhatIsMissing) {
    EXPECT_EQ(copy().copied.size(), 1U);
    auto const again = copy();
    EXPECT_EQ(again.copied.size(), 0U);
    EXPECT_EQ(again.were_there, 1U);
    go_on();
    std::uint64_t const before = bytes_in(to_);
    std::uint64_t read = 0;
    from_.observe([&](Verb verb, std::string const& name) {
        if (verb == Verb::get && name.starts_with("packs/")) ++read;
    });
    auto const report = copy();
    ASSERT_EQ(report.copied.size(), 1U);
    EXPECT_EQ(report.copied[0].from.id, *second_.id);
    EXPECT_LT(bytes_in(to_) - before, 150'000U);
    EXPECT_LT(read, 20U);
    EXPECT_EQ(to_.tar_of(report.copied[0].to->snapshot), from_.tar_of(second_.snapshot));
    EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
}

TEST_P(Copy, IsFoundByALaterSnapshotOfTheSameFiles) {
    copy();
    auto const here = to_.save(source_.path());
    EXPECT_TRUE(here.unchanged);
    EXPECT_EQ(here.snapshot.root.digest, first_.snapshot.root.digest);
    EXPECT_LT(here.snapshot.statistics.bytes_added, 2'000U);
}

// Whichever pack is gone, of files or of trees.
TEST_P(Copy, HealsWhatSnapshotsLackThatAreThere) {
    go_on();
    copy();
    auto const ids = to_.ids();
    auto const whole = to_.store().objects();
    CopyRequest heal;
    heal.heal = true;
    EXPECT_EQ(copy(heal).healed, 0U);
    for (auto const& pack : to_.objects("packs/")) {
        SCOPED_TRACE(pack);
        to_.reset_to(whole);
        to_.store().remove(pack);
        Progress progress;
        repair_repository(*to_, {true, true, 2}, progress);
        ASSERT_NE(to_.errors(), Names{});
        heal.dry_run = true;
        auto const hurt = copy(heal).healed;
        EXPECT_GT(hurt, 0U);
        EXPECT_EQ(to_.ids(), ids);
        ASSERT_NE(to_.errors(), Names{});
        heal.dry_run = false;
        auto const report = copy(heal);
        EXPECT_EQ(report.errors, Names{});
        EXPECT_EQ(report.were_there, 2U);
        EXPECT_GT(report.healed, 0U);
        EXPECT_LE(report.healed, hurt);
        EXPECT_EQ(to_.ids(), ids);
        EXPECT_TRUE(forgotten_snapshots(*to_).snapshots.empty());
        EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(to_.tar_of(to_.find(ids[0].substr(0, 8)).snapshot),
                  from_.tar_of(first_.snapshot));
        EXPECT_EQ(to_.tar_of(to_.find("latest").snapshot), from_.tar_of(second_.snapshot));
    }
}

// It is no damage that a snapshot is gone that was given up meanwhile.
TEST_P(Copy, LeavesOutWhatIsForgottenMeanwhile) {
    bool is_gone = false;
    from_.observe([&](Verb verb, std::string const& name) {
        if (is_gone || verb != Verb::get || !name.starts_with("packs/")) return;
        is_gone = true;
        put_forgets(*from_, {*first_.id}, "test");
        for (auto const& pack : from_.objects("packs/")) from_.store().remove(pack);
    });
    auto const report = copy();
    EXPECT_TRUE(is_gone);
    EXPECT_EQ(report.errors, Names{});
    EXPECT_EQ(report.copied.size(), 0U);
}

TEST_P(Copy, SaysWhatItCannotHeal) {
    copy();
    auto const pack = to_.objects("packs/")[0];
    to_.store().remove(pack);
    for (auto const& lost : from_.objects("packs/")) from_.store().remove(lost);
    CopyRequest heal;
    heal.heal = true;
    auto const report = copy(heal);
    EXPECT_EQ(report.healed, 0U);
    ASSERT_EQ(report.errors.size(), 1U);
    EXPECT_TRUE(contains(report.errors[0], "is not copied"));
}

TEST_P(Copy, OfSomeLeavesTheOthers) {
    go_on();
    CopyRequest request;
    request.names = {"latest"};
    request.dry_run = true;
    auto const plan = copy(request);
    ASSERT_EQ(plan.copied.size(), 1U);
    EXPECT_EQ(plan.copied[0].from.id, *second_.id);
    EXPECT_FALSE(plan.copied[0].to);
    EXPECT_EQ(to_.objects("packs/"), Names{});
    request.dry_run = false;
    EXPECT_EQ(copy(request).copied.size(), 1U);
    EXPECT_EQ(to_.ids().size(), 1U);
    request.names = {};
    request.filter.hosts = {"nobody"};
    EXPECT_EQ(copy(request).copied.size(), 0U);
}

TEST_P(Copy, NamesWhatCannotBeReadAndCopiesTheOthers) {
    auto const objects = from_.store().objects();
    for (auto const& name : from_.objects("packs/")) {
        Bytes bytes = objects.at(name);
        bytes[bytes.size() / 3] ^= std::byte{1};
        from_.store().remove(name);
        from_.put(name, bytes);
    }
    TempFolder other;
    write_file(other / "sound", "sound");
    auto const sound = from_.save(other.path());
    auto const report = copy();
    ASSERT_EQ(report.errors.size(), 1U);
    EXPECT_TRUE(contains(report.errors[0], first_.id->hex()));
    ASSERT_EQ(report.copied.size(), 1U);
    EXPECT_EQ(report.copied[0].from.id, *sound.id);
    EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
    EXPECT_EQ(to_.ids().size(), 1U);
}

TEST_P(Copy, DoesWithoutAnEarlierOneThatIsDamaged) {
    copy();
    TempFolder other;
    write_file(other / "file", random_bytes(3, 90'000));
    from_.save(other.path());
    copy();
    for (TestRepo* const hurt : {&from_, &to_}) {
        Names const before = hurt->objects("packs/");
        write_file(other / hurt->objects("snapshots/")[0].substr(10), "another file");
        auto const taken = from_.save(other.path());
        damage_trees(*hurt, before);
        auto const report = copy();
        EXPECT_EQ(report.errors, Names{});
        ASSERT_EQ(report.copied.size(), 1U);
        EXPECT_EQ(to_.tar_of(report.copied[0].to->snapshot), from_.tar_of(taken.snapshot));
    }
}

// It was listed, and its contents are gone when the session begins. The index still shows them, and
// the trees are there: the collection was stopped before it removed those, and the bundles.
TEST_P(Copy, DoesNotRestOnACopyThatWasCollected) {
    copy();
    go_on();
    auto const done = std::make_shared<std::atomic<bool>>(false);
    to_.observe([=, this](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("sessions/") || done->exchange(true)) return;
        TempFolder const cache;
        auto const store = std::make_shared<ObservedBackend>(
            to_.store(), [](Verb call, std::string const& object) {
                if (call != Verb::remove || !object.starts_with("bundles/")) return;
                throw RepositoryError(RepositoryFailure::failed, "stopped");
            });
        auto const other = open_repository(store, to_.credentials(), {cache.path(), false, {}});
        ForgetRequest forgetting;
        forgetting.names = {"latest"};
        forgetting.allow_many = true;
        Progress progress;
        forget(*other, forgetting, progress);
        auto const before = to_.store().objects();
        EXPECT_EQ(message_of([&] { prune(*other, {}, progress); }), "stopped");
        auto const view = to_->index_view();
        std::size_t removed = 0;
        for (auto const& [object, bytes] : before) {
            if (!object.starts_with("packs/") || to_.store().stat(object)) continue;
            ++removed;
            auto const number = view.number(*PackId::parse(last_component(object)));
            if (view.directory(*number).kind == PackKind::meta) to_.put(object, bytes);
        }
        EXPECT_GT(removed, 0U);
    });
    auto const report = copy();
    ASSERT_EQ(report.copied.size(), 1U);
    EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
    EXPECT_EQ(to_.tar_of(report.copied[0].to->snapshot), from_.tar_of(second_.snapshot));
}

// Whatever the other one has brought by then was there, and is not copied.
TEST_P(Copy, OfTwoAtOnceOneStays) {
    go_on();
    for (std::string const moment : {"sessions/", "packs/", "bundles/"}) {
        for (int i = 0; i < 4; ++i) {
            write_file(source_ / "again", random_bytes(static_cast<unsigned>(i), 9'000));
            auto const last = from_.save(source_.path());
            auto const done = std::make_shared<std::atomic<bool>>(false);
            to_.observe([=, this](Verb verb, std::string const& name) {
                if (verb != Verb::put || !name.starts_with(moment) || done->exchange(true)) return;
                TempFolder const cache;
                auto const other = to_.on_other_machine(cache);
                Progress progress;
                copy_snapshots(*from_, *other, {}, progress, {});
            });
            auto const report = copy();
            to_.observe_nothing();
            EXPECT_TRUE(*done);
            EXPECT_EQ(report.copied.size(), 0U);
            EXPECT_EQ(report.were_there, from_.ids().size());
            EXPECT_EQ(to_.ids().size(), from_.ids().size());
            EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
            EXPECT_EQ(to_.tar_of(to_.find("latest").snapshot), from_.tar_of(last.snapshot));
        }
    }
}

// Wherever it ends: what is published is whole, and the next run brings the rest.
TEST_P(Copy, MayBeStoppedAnywhere) {
    go_on();
    auto const empty = to_.store().objects();
    for (int calls = 1;; ++calls) {
        to_.reset_to(empty);
        auto const left = std::make_shared<std::atomic<int>>(calls);
        to_.observe([=](Verb verb, std::string const&) {
            bool const changes = verb == Verb::put || verb == Verb::remove;
            if (changes && --*left <= 0)
                throw RepositoryError(RepositoryFailure::failed, "stopped here");
        });
        bool const is_done = !failure_of([&] { copy(); });
        to_.observe_nothing();
        for (auto const& named : list_snapshots(*to_).snapshots) {
            EXPECT_TRUE(named.snapshot.root.digest == first_.snapshot.root.digest ||
                        named.snapshot.root.digest == second_.snapshot.root.digest);
        }
        EXPECT_EQ(to_.errors(CheckDepth::read_data), Names{});
        copy();
        EXPECT_EQ(to_.ids().size(), 2U) << "stopped at call " << calls;
        if (is_done) return;
    }
}

// One snapshot is there from the beginning.
class Arriving : public testing::Test {
protected:
    void SetUp() override {
        first_ = save("1");
        EXPECT_EQ(there_.list(), Names{});
    }
    SnapshotResult save(std::string const& content) {
        write_file(source_ / "file", content);
        return repo_.save(source_.path());
    }

    TempFolder source_;
    TestRepo repo_;
    Arrivals there_{*repo_};
    SnapshotResult first_;
    Progress progress_;
};

TEST_F(Arriving, IsKnownAndWhatHasGoneSince) {
    ASSERT_NE(there_.live_twin_of(first_.snapshot), nullptr);
    EXPECT_EQ(there_.live_twin_of(first_.snapshot)->id, *first_.id);
    auto const second = save("22");
    EXPECT_EQ(there_.twin_of(second.snapshot), nullptr);
    ASSERT_NE(there_.live_twin_of(second.snapshot), nullptr);
    put_forgets(*repo_, {*first_.id}, "test");
    PruneRequest request;
    request.slots_per_checkpoint = 1;
    prune(*repo_, request, progress_);
    EXPECT_EQ(repo_.objects("snapshots/").size(), 1U) << "closed, and its forget with it";
    EXPECT_EQ(repo_.objects("forgets/"), Names{});
    EXPECT_EQ(there_.live_twin_of(first_.snapshot), nullptr);
    EXPECT_NE(there_.live_twin_of(second.snapshot), nullptr);
}

// What was there when the slots were listed may have another id when it is asked for.
TEST_F(Arriving, IsFoundWhenItIsTaggedAtThatMoment) {
    EXPECT_FALSE(there_.is_replaced(*first_.id));
    std::vector<Republished> tagged;
    repo_.observe([&](Verb, std::string const& name) {
        if (!name.starts_with("forgets/") || !tagged.empty()) return;
        TempFolder const cache;
        TagChange change;
        change.add = {"x"};
        tagged = change_tags(*repo_.on_other_machine(cache), {{*first_.id, first_.snapshot}},
                             change, progress_, {});
    });
    auto const* const twin = there_.live_twin_of(first_.snapshot);
    repo_.observe_nothing();
    ASSERT_EQ(tagged.size(), 1U);
    ASSERT_NE(twin, nullptr);
    EXPECT_EQ(twin->id, tagged[0].now.id);
    EXPECT_TRUE(there_.is_replaced(*first_.id));
}

TEST(CopyRefuses, TheRepositoryItself) {
    TestRepo repo;
    Progress progress;
    EXPECT_TRUE(contains(message_of([&] { copy_snapshots(*repo, *repo, {}, progress, {}); }),
                         "same repository"));
}

}  // namespace
}  // namespace coffre
