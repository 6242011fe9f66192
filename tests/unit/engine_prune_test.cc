// Collection: what is needed stays, the rest goes, whoever else is at work and wherever it stops.
#include "engine/prune.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

#include "engine/forget.h"
#include "engine/maintain/bundle_merge.h"
#include "engine/maintain/log_repair.h"
#include "engine/maintain/open_sessions.h"
#include "engine/repair.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/reserve.h"
#include "engine/repository/session.h"
#include "engine/restore.h"
#include "engine/tag.h"
#include "engine/util/clock.h"
#include "hostile_tree.h"

namespace coffre {
namespace {

using namespace test;

PruneRequest tidy() {
    PruneRequest request;
    request.max_unused = 0;
    request.threads = 2;
    return request;
}

PruneReport prune_all(Repository& repository, PruneRequest const& request = tidy()) {
    Progress progress;
    return prune(repository, request, progress);
}

void forget_named(Repository& repository, SessionId const& id) {
    ForgetRequest request;
    request.names = {id.hex()};
    request.allow_many = true;
    Progress progress;
    forget(repository, request, progress);
}

// A folder that was read while objects were put: one of them is not in its listing.
class ListsAllBut final : public Backend {
public:
    ListsAllBut(Backend& inner, std::string name) : inner_(inner), name_(std::move(name)) {}
    PutResult put(std::string const& name, ByteView bytes) override {
        return inner_.put(name, bytes);
    }
    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override {
        return inner_.get(name, offset, size);
    }
    std::optional<ObjectInfo> stat(std::string const& name) override { return inner_.stat(name); }
    void each(std::string const& prefix, Visit const& visit) override {
        inner_.each(prefix, [&](ObjectInfo const& object) {
            if (object.name != name_) visit(object);
        });
    }
    void remove(std::string const& name) override { inner_.remove(name); }
    void barrier() override { inner_.barrier(); }

private:
    Backend& inner_;
    std::string name_;
};

class Prune : public testing::TestWithParam<Mode> {
protected:
    // Two snapshots, of which the first is forgotten: half of its files are in the second too.
    void SetUp() override {
        for (unsigned i = 0; i < 40; ++i) {
            write_file(source_ / ("file" + std::to_string(i)), random_bytes(i, 20'000 + i));
        }
        first_ = repo_.save(source_.path());
        for (unsigned i = 0; i < 40; i += 2) {
            write_file(source_ / ("file" + std::to_string(i)), random_bytes(100 + i, 9'000));
        }
        second_ = repo_.save(source_.path());
        image_ = image_of(source_.path());
        forget_named(*repo_, *first_.id);
    }
    std::uint64_t stored() {
        std::uint64_t bytes = 0;
        for (auto const& object : repo_.store().list("packs/")) bytes += object.size;
        return bytes;
    }
    void expect_all_is_well() {
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
    }
    // The same repository as another machine sees it.
    std::shared_ptr<Repository> elsewhere() { return elsewhere_on(repo_.store()); }
    std::shared_ptr<Repository> elsewhere_on(Backend& backend) {
        auto const store = std::shared_ptr<Backend>(&backend, [](Backend*) {});
        return open_repository(store, repo_.credentials(), {other_cache_.path(), false, {}});
    }
    // Once, at the first call of the verb on a name that begins so.
    void at(Verb wanted, std::string const& prefix, std::function<void()> const& action) {
        // Packs are put by several threads.
        auto const done = std::make_shared<std::atomic<bool>>(false);
        repo_.observe([=](Verb verb, std::string const& name) {
            if (verb != wanted || !name.starts_with(prefix) || done->exchange(true)) return;
            action();
        });
    }
    // A snapshot comes and goes, and the log is summed up.
    void collect_and_sum_up(Repository& repository, unsigned seed) {
        write_file(source_ / "passing", random_bytes(seed, 9'000));
        Progress progress;
        auto saved = saving({source_.path()});
        auto const taken = take_snapshot(repository, saved, progress);
        ::unlink((source_ / "passing").c_str());
        forget_named(repository, *taken.id);
        PruneRequest request = tidy();
        request.slots_per_checkpoint = 1;
        EXPECT_GT(prune_all(repository, request).removed.packs, 0U);
        EXPECT_EQ(read_gc_log(repo_.store(), repo_->keys()).since_checkpoint, 0U);
    }
    RepairReport repair(bool apply) {
        RepairRequest request;
        request.apply = apply;
        Progress progress;
        return repair_repository(*repo_, request, progress);
    }
    void damage(std::string const& name) {
        Bytes bytes = repo_.store().objects().at(name);
        bytes[30] ^= std::byte{1};
        repo_.store().remove(name);
        repo_.store().put(name, bytes);
    }
    // For more than an hour.
    void fall_silent(Session const& session) {
        repo_.store().set_modified(names::session(session.id()), 1);
    }
    using Names = std::vector<std::string>;

    TempFolder source_;
    TempFolder other_cache_;
    TestRepo repo_{GetParam(), {4096, 16384, 65536}};
    SnapshotResult first_;
    SnapshotResult second_;
    TreeImage image_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Prune, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "Plain" : "Encrypted";
                         });

TEST_P(Prune, FreesWhatNobodyNeedsAndNothingElse) {
    std::uint64_t const before = stored();
    auto const report = prune_all(*repo_);
    EXPECT_GT(report.removed.bytes, 0U);
    EXPECT_LT(stored(), before - 300'000);
    EXPECT_EQ(report.waiting_for.size(), 0U);
    expect_all_is_well();
    auto const again = prune_all(*repo_);
    EXPECT_EQ(again.removed.packs, 0U);
    EXPECT_EQ(again.unused, 0U);
    EXPECT_EQ(again.unneeded.packs + again.repacked.packs, 0U);
}

TEST_P(Prune, LogsHaveAGapOnlyWhereARecordIsMissing) {
    prune_all(*repo_);
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    ASSERT_EQ(log.next_record, 2U);
    ListsAllBut store(repo_.store(), names::log_record(0));
    EXPECT_EQ(read_gc_log(store, repo_->keys()).swept, log.swept);
    repo_.store().remove(names::log_record(0));
    EXPECT_TRUE(contains(message_of([&] { read_gc_log(store, repo_->keys()); }),
                         names::log_record(0) + ": is missing"));
}

TEST_P(Prune, KeepsTheLogShort) {
    for (unsigned i = 0; i < 5; ++i) {
        collect_and_sum_up(*repo_, 700 + i);
        EXPECT_LE(repo_.objects("gclog/").size(), 4U) << "a checkpoint, and what followed it";
    }
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_GE(log.next_record, 15U);
    EXPECT_EQ(log.closed.size(), 6U);
    expect_all_is_well();
}

TEST_P(Prune, ALogThatIsSummedUpWhileItIsReadIsReadAgain) {
    prune_all(*repo_);
    auto const other = elsewhere();
    at(Verb::get, "gclog/", [&] {
        for (unsigned i = 0; i < 3; ++i) collect_and_sum_up(*other, 700 + i);
    });
    GcState const log = read_gc_log(*repo_.observed(), repo_->keys());
    repo_.observe_nothing();
    EXPECT_EQ(log.next_record, read_gc_log(repo_.store(), repo_->keys()).next_record);
    EXPECT_EQ(log.closed.size(), 4U);
}

TEST_P(Prune, ALogThatIsSummedUpWhileItIsExaminedIsNotDamaged) {
    prune_all(*repo_);
    auto const other = elsewhere();
    at(Verb::get, "gclog/", [&] {
        for (unsigned i = 0; i < 3; ++i) collect_and_sum_up(*other, 700 + i);
        prune_all(*other);
    });
    auto const damage = look_at_gc_log(*repo_);
    repo_.observe_nothing();
    EXPECT_EQ(damage.messages, Names{});
    EXPECT_EQ(damage.next_record, read_gc_log(repo_.store(), repo_->keys()).next_record);
}

// It has chosen packs that are needed again, and the record of its number was removed meanwhile.
TEST_P(Prune, ACollectorThatWasHaltedAppendsInVain) {
    auto const other = elsewhere();
    SnapshotResult back;
    at(Verb::put, "gclog/", [&] {
        Progress progress;
        back.snapshot = unforget(*other, first_.id->hex(), progress).now.snapshot;
        for (unsigned i = 0; i < 3; ++i) collect_and_sum_up(*other, 700 + i);
    });
    prune_all(*repo_);
    repo_.observe_nothing();
    EXPECT_EQ(repo_.objects("gclog/").front(), names::log_record(0));
    expect_all_is_well();
    EXPECT_EQ(repo_.tar_of(back.snapshot).size(), repo_.tar_of(first_.snapshot).size());
    collect_and_sum_up(*repo_, 710);
    EXPECT_NE(repo_.objects("gclog/").front(), names::log_record(0));
    expect_all_is_well();
}

// Whoever wrote the last records need not take a snapshot to miss them.
TEST_P(Prune, RemembersTheRecordsThatItWrote) {
    prune_all(*repo_);
    auto const last = repo_.objects("gclog/").back();
    repo_.store().remove(last);
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
    EXPECT_TRUE(contains(message_of([&] { repo_.reopen(); }), last));
}

TEST_P(Prune, LeavesNoTraceOfThePacksThatWent) {
    prune_all(*repo_);
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_FALSE(log.swept.empty());
    for (auto const& pack : log.swept) {
        EXPECT_FALSE(repo_.store().stat(names::pack(pack)));
        EXPECT_EQ(repo_->index_view().number(pack), std::nullopt);
    }
    EXPECT_EQ(repo_.objects("sessions/"), Names{});
}

TEST_P(Prune, ToleratesAsMuchAsItIsTold) {
    PruneRequest request = tidy();
    request.max_unused = 1;
    auto const lazy = prune_all(*repo_, request);
    EXPECT_EQ(lazy.repacked.packs, 0U);
    EXPECT_GT(lazy.unused, 100'000U);
    request.max_unused = 0.05;
    auto const report = prune_all(*repo_, request);
    EXPECT_LE(static_cast<double>(report.unused), 0.05 * static_cast<double>(stored()));
    expect_all_is_well();
}

TEST_P(Prune, ToleratesAsManyBytesAsItIsTold) {
    PruneRequest request = tidy();
    request.max_unused.reset();
    request.dry_run = true;
    std::uint64_t const unused = prune_all(*repo_, request).unused;
    ASSERT_GT(unused, 100'000U);
    request.max_unused_bytes = 2 * unused;
    EXPECT_EQ(prune_all(*repo_, request).unused, unused);
    request.max_unused_bytes = unused / 2;
    request.dry_run = false;
    EXPECT_LE(prune_all(*repo_, request).unused, unused / 2);
    expect_all_is_well();
}

TEST_P(Prune, PostponesNothingThatIsMoved) {
    auto const report = prune_all(*repo_);
    EXPECT_GT(report.repacked.packs, 0U);
    EXPECT_EQ(report.postponed.packs, 0U);
    EXPECT_EQ(report.postponed.bytes, 0U);
}

TEST_P(Prune, MovesNoMoreThanItIsTold) {
    PruneRequest request = tidy();
    request.max_repack_bytes = 0;
    auto const report = prune_all(*repo_, request);
    EXPECT_EQ(report.repacked.packs, 0U);
    request = tidy();
    request.repack_time = std::chrono::seconds(-1);
    prune_all(*repo_, request);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    expect_all_is_well();
}

TEST_P(Prune, TellsWhatItHasMovedWhenItsTimeIsOver) {
    PruneRequest request = tidy();
    request.dry_run = true;
    auto const planned = prune_all(*repo_, request).repacked;
    request.dry_run = false;
    request.repack_time = std::chrono::seconds(-1);
    auto const report = prune_all(*repo_, request);
    EXPECT_EQ(report.repacked.packs, 0U);
    EXPECT_EQ(report.repacked.bytes, 0U);
    EXPECT_GT(report.postponed.packs, 0U);
    EXPECT_EQ(report.postponed.packs, planned.packs);
    EXPECT_EQ(report.postponed.bytes, planned.bytes);
    EXPECT_GT(report.unused, 0U);
    expect_all_is_well();
}

TEST_P(Prune, ChangesNothingInADryRun) {
    auto const before = repo_.store().objects();
    PruneRequest request = tidy();
    request.dry_run = true;
    auto const report = prune_all(*repo_, request);
    EXPECT_GT(report.unneeded.packs + report.repacked.packs, 0U);
    EXPECT_EQ(repo_.store().objects(), before);
}

// What it would do after a forget that is only thought of is what it then does; also when what
// would be forgotten cannot be read, which else ends every prune.
TEST_P(Prune, ForeseesWhatFollowsAForget) {
    write_file(source_ / "file1", random_bytes(700, 30'000));
    auto const third = repo_.save(source_.path());
    PruneRequest foreseeing = tidy();
    foreseeing.dry_run = true;
    auto const without = prune_all(*repo_, foreseeing);
    foreseeing.as_if_forgotten = {*second_.id};
    auto const before = repo_.store().objects();
    auto const foreseen = prune_all(*repo_, foreseeing);
    EXPECT_EQ(repo_.store().objects(), before);
    std::string const slot = names::snapshot(*second_.id);
    repo_.store().remove(slot);
    repo_.put(slot, as_bytes("damaged"));
    auto const of_damaged = prune_all(*repo_, foreseeing);
    repo_.store().remove(slot);
    repo_.put(slot, before.at(slot));
    forget_named(*repo_, *second_.id);
    auto const done = prune_all(*repo_);
    auto const left = [](PruneReport const& report) {
        return report.total.bytes - report.unneeded.bytes + report.repacked.bytes;
    };
    EXPECT_LT(left(foreseen), left(without));
    for (auto const& report : {foreseen, of_damaged}) {
        EXPECT_EQ(report.unneeded.bytes, done.unneeded.bytes);
        EXPECT_EQ(report.unneeded.packs, done.unneeded.packs);
        EXPECT_EQ(report.repacked.bytes, done.repacked.bytes);
        EXPECT_EQ(report.repacked.packs, done.repacked.packs);
    }
    second_ = third;
    image_ = image_of(source_.path());
    expect_all_is_well();
}

TEST_P(Prune, MovesSmallPacksTogether) {
    for (unsigned i = 0; i < 12; ++i) {
        write_file(source_ / "new", random_bytes(500 + i, 50'000));
        write_file(source_ / ("kept" + std::to_string(i)), random_bytes(600 + i, 5'000));
        second_ = repo_.save(source_.path());
    }
    image_ = image_of(source_.path());
    PruneRequest request = tidy();
    request.max_unused = 1;
    prune_all(*repo_, request);
    EXPECT_LT(repo_.objects("packs/").size(), 8U);
    EXPECT_LT(repo_.objects("bundles/").size(), 8U);
    expect_all_is_well();
}

TEST_P(Prune, MovesNothingWhenAnythingMayStay) {
    for (unsigned i = 0; i < 12; ++i) {
        write_file(source_ / ("kept" + std::to_string(i)), random_bytes(600 + i, 5'000));
        second_ = repo_.save(source_.path());
    }
    // Most of the first snapshot's pack.
    for (unsigned i = 0; i < 36; ++i) write_file(source_ / ("file" + std::to_string(i)), "");
    auto const last = repo_.save(source_.path());
    forget_named(*repo_, *second_.id);
    second_ = last;
    image_ = image_of(source_.path());
    PruneRequest request = tidy();
    request.max_unused = std::nullopt;
    request.dry_run = true;
    auto const planned = prune_all(*repo_, request);
    EXPECT_EQ(planned.repacked.packs, 0U);
    EXPECT_GT(planned.unused, 0U);
    request.dry_run = false;
    Names const before = repo_.objects("packs/");
    prune_all(*repo_, request);
    for (auto const& pack : repo_.objects("packs/")) {
        EXPECT_TRUE(std::binary_search(before.begin(), before.end(), pack)) << pack;
    }
    expect_all_is_well();
}

// A snapshot is being made that began before the collection: what it relies on stays.
TEST_P(Prune, WaitsForWhoeverBeganBefore) {
    auto const other = elsewhere();
    PruneReport meanwhile;
    at(Verb::put, "packs/", [&] { meanwhile = prune_all(*other); });
    write_file(source_ / "file0", random_bytes(0, 20'000));  // as the forgotten snapshot had it
    write_file(source_ / "new", random_bytes(900, 50'000));
    auto request = saving({source_.path()});
    request.parent = ParentChoice::none;
    second_ = repo_.take(std::move(request));
    image_ = image_of(source_.path());
    repo_.observe_nothing();
    ASSERT_EQ(meanwhile.waiting_for.size(), 1U);
    EXPECT_EQ(meanwhile.removed.packs, 0U);
    EXPECT_FALSE(meanwhile.waiting_for[0].host.empty());
    expect_all_is_well();
    auto const report = prune_all(*repo_);
    EXPECT_TRUE(report.resumed);
    EXPECT_EQ(report.waiting_for.size(), 0U);
    expect_all_is_well();
    prune_all(*repo_);
    expect_all_is_well();
}

// The moment between the collector's marks and its condemn record: who reads the log then knows of
// nothing.
TEST_P(Prune, WaitsForAWriterThatReadTheLogJustBefore) {
    write_file(source_ / "file0", random_bytes(0, 20'000));  // as the forgotten snapshot had it
    write_file(source_ / "new", random_bytes(905, 50'000));
    std::promise<void> about_to_write;
    std::promise<void> collected;
    std::atomic<bool> has_halted = false;
    ObservedBackend halting(repo_.store(), [&](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("packs/") || has_halted.exchange(true)) return;
        about_to_write.set_value();
        collected.get_future().wait();
    });
    auto const writer = elsewhere_on(halting);
    std::future<SnapshotResult> taken;
    at(Verb::put, "gclog/", [&] {
        taken = std::async(std::launch::async, [&] {
            Progress progress;
            auto request = saving({source_.path()});
            request.parent = ParentChoice::none;
            return take_snapshot(*writer, request, progress);
        });
        about_to_write.get_future().wait();
    });
    auto const report = prune_all(*repo_);
    repo_.observe_nothing();
    collected.set_value();
    second_ = taken.get();
    image_ = image_of(source_.path());
    EXPECT_EQ(report.waiting_for.size(), 1U);
    prune_all(*repo_);
    expect_all_is_well();
}

// Who began after it knows what is condemned, and relies on none of it.
TEST_P(Prune, IsNotHinderedByWhoBeginsLater) {
    auto const other = elsewhere();
    at(Verb::put, "packs/", [&] { prune_all(*other); });
    write_file(source_ / "x", random_bytes(901, 50'000));
    repo_.save(source_.path());
    auto const report_after = [&] {
        PruneReport report;
        at(Verb::put, "packs/", [&] { report = prune_all(*other); });
        write_file(source_ / "file0", random_bytes(0, 20'000));
        write_file(source_ / "y", random_bytes(902, 50'000));
        auto request = saving({source_.path()});
        request.parent = ParentChoice::none;
        second_ = repo_.take(std::move(request));
        image_ = image_of(source_.path());
        repo_.observe_nothing();
        return report;
    }();
    EXPECT_TRUE(report_after.resumed);
    prune_all(*repo_);
    expect_all_is_well();
}

// Who began before the condemn record is written down: a later run waits for no others.
TEST_P(Prune, WaitsForNobodyWhoBeganLater) {
    auto const other = elsewhere();
    Session const before(repo_.store(), other->keys());
    EXPECT_EQ(prune_all(*repo_).waiting_for.size(), 1U);
    Session const after(repo_.store(), other->keys());
    fall_silent(before);
    auto const report = prune_all(*elsewhere());
    EXPECT_TRUE(report.resumed);
    EXPECT_EQ(report.waiting_for.size(), 0U);
    EXPECT_GT(report.removed.packs, 0U);
    expect_all_is_well();
}

TEST_P(Prune, WaitsAnewInEachCollection) {
    auto const other = elsewhere();
    Session const before(repo_.store(), other->keys());
    prune_all(*repo_);
    fall_silent(before);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    write_file(source_ / "file1", random_bytes(700, 20'000));
    auto const third = repo_.save(source_.path());
    forget_named(*repo_, *second_.id);
    second_ = third;
    image_ = image_of(source_.path());
    Session const of_now(repo_.store(), other->keys());
    EXPECT_EQ(prune_all(*repo_).waiting_for.size(), 1U);
    expect_all_is_well();
}

TEST_P(Prune, ClosesADamagedSlotThatIsForgottenWhenItGoesOn) {
    std::string const slot = names::snapshot(*first_.id);
    Bytes bytes = repo_.store().objects().at(slot);
    bytes[bytes.size() / 2] ^= std::byte{1};
    repo_.store().remove(slot);
    repo_.put(slot, bytes);
    auto const other = elsewhere();
    PruneRequest request = tidy();
    request.slots_per_checkpoint = 1;
    {
        Session const before(repo_.store(), other->keys());
        EXPECT_EQ(prune_all(*repo_, request).waiting_for.size(), 1U);
    }
    auto const report = prune_all(*repo_, request);
    EXPECT_TRUE(report.resumed);
    EXPECT_GT(report.removed.packs, 0U);
    EXPECT_TRUE(read_gc_log(repo_.store(), repo_->keys()).closed.contains(*first_.id));
    EXPECT_FALSE(repo_.store().stat(slot));
    EXPECT_EQ(repo_.ids(), Names{second_.id->hex()});
    expect_all_is_well();
}

TEST_P(Prune, GivesWayToWhoeverWrites) {
    auto const other = elsewhere();
    Session const writer(repo_.store(), other->keys());
    auto const image = repo_.store().objects();
    std::vector<std::size_t> looks;
    for (bool const gives_way : {false, true}) {
        repo_.reset_to(image);
        std::size_t looked = 0;
        repo_.observe([&](Verb verb, std::string const& name) {
            if (verb == Verb::list && name == "sessions/") ++looked;
        });
        PruneRequest request = tidy();
        request.gives_way = gives_way;
        EXPECT_GT(prune_all(*repo_, request).repacked.packs, 0U);
        repo_.observe_nothing();
        looks.push_back(looked);
        expect_all_is_well();
    }
    EXPECT_GT(looks[1], looks[0]);
}

// Also when there is nothing else to do.
TEST_P(Prune, ClosesADamagedSlotOnceItIsForgotten) {
    auto const third = repo_.save(source_.path());
    prune_all(*repo_);
    std::string const slot = names::snapshot(*third.id);
    repo_.store().remove(slot);
    repo_.put(slot, as_bytes("damaged"));
    forget_named(*repo_, *third.id);
    EXPECT_EQ(repo_.errors(CheckDepth::structure).size(), 1U);
    EXPECT_EQ(prune_all(*repo_).removed.packs, 0U);
    EXPECT_FALSE(repo_.store().stat(slot));
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
    expect_all_is_well();
}

TEST_P(Prune, ClosesSlotsWhenThereIsNothingElseToDo) {
    PruneRequest request = tidy();
    request.slots_per_checkpoint = 2;
    prune_all(*repo_, request);
    auto const third = repo_.save(source_.path());
    auto const before = repo_.objects("packs/");
    forget_named(*repo_, *third.id);
    request.dry_run = true;
    prune_all(*repo_, request);
    EXPECT_EQ(repo_.objects("snapshots/").size(), 3U);
    request.dry_run = false;
    EXPECT_EQ(prune_all(*repo_, request).removed.packs, 0U);
    EXPECT_EQ(repo_.objects("packs/"), before);
    EXPECT_EQ(repo_.objects("snapshots/"), Names{names::snapshot(*second_.id)});
    expect_all_is_well();
}

// Else the log would grow with all that ever came and went.
TEST_P(Prune, NamesNoRemovedPackForEverThatNothingShows) {
    auto const other = elsewhere();
    list_snapshots(*other);
    other->refresh_index();
    PruneRequest request = tidy();
    request.slots_per_checkpoint = 1;
    request.packs_per_checkpoint = 0;
    EXPECT_GT(prune_all(*repo_, request).removed.packs, 0U);
    EXPECT_EQ(read_gc_log(repo_.store(), repo_->keys()).swept, std::vector<PackId>{});
    expect_all_is_well();
    Progress progress;
    auto again = saving({source_.path()});
    EXPECT_TRUE(take_snapshot(*other, again, progress).unchanged);
    EXPECT_EQ(check_repository(*other, CheckDepth::read_data, 1, progress).errors, Names{});
}

// A wrong clock may be years ahead, and is nothing to wait for.
TEST_P(Prune, TakesASignOfLifeOfTheFutureForNone) {
    constexpr std::int64_t hour = 3600 * std::int64_t{1'000'000'000};
    auto const other = elsewhere();
    Session const writer(repo_.store(), other->keys());
    auto const log = read_gc_log(repo_.store(), repo_->keys());
    std::int64_t const now = now_ns();
    EXPECT_EQ(dead_sessions(*repo_, log, now).size(), 0U);
    EXPECT_EQ(dead_sessions(*repo_, log, now - 48 * hour).size(), 0U);
    EXPECT_EQ(dead_sessions(*repo_, log, now - 31 * 24 * hour), std::vector{writer.id()});
    EXPECT_EQ(dead_sessions(*repo_, log, now + 2 * hour), std::vector{writer.id()});
}

// Machines without a cache are another writer in each run.
TEST_P(Prune, ForgetsTheHeadsOfWritersThatHaveLeftNothing) {
    Progress progress;
    std::optional<SessionId> left;
    {
        auto const other = elsewhere();
        auto request = saving({source_.path()});
        left = take_snapshot(*other, request, progress).id;
    }
    list_snapshots(*repo_);
    std::size_t const known = repo_->local_state().heads.size();
    forget_named(*repo_, *left);
    PruneRequest request = tidy();
    request.slots_per_checkpoint = 1;
    prune_all(*repo_, request);
    list_snapshots(*repo_);
    EXPECT_EQ(repo_->local_state().heads.size(), known - 1);
    repo_.reopen();
    expect_all_is_well();
}

TEST(BundleMerge, TakesSmallOnesOnceAndLargeOnesNever) {
    TestRepo repo;
    auto const put_bundles = [&](std::size_t directory_size) {
        for (int i = 0; i < 20; ++i) {
            BundleRow row{random_id<PackId>(), SessionId{}, 1, Bytes(directory_size)};
            put_bundle(repo.store(), repo->keys(), {row});
        }
    };
    auto const merge = [&](MergeFor purpose) {
        auto const replaced = merge_bundles(*repo, purpose, [](PackId const&) { return false; });
        for (auto const& id : replaced) repo.store().remove(names::bundle(id));
        return replaced.size();
    };
    put_bundles(1000);
    EXPECT_EQ(merge(MergeFor::repair), 0U);
    EXPECT_EQ(merge(MergeFor::collection), 20U);
    EXPECT_EQ(repo.objects("bundles/").size(), 1U);
    EXPECT_EQ(merge(MergeFor::collection), 0U);
    put_bundles(700'000);
    EXPECT_EQ(merge(MergeFor::collection), 0U);
}

// A repair sets the row of a pack aside that this one has just written again.
TEST(BundleMerge, BringsNoRowBackThatAnotherHasSetAside) {
    TestRepo repo;
    BundleRow const stays{random_id<PackId>(), SessionId{}, 1, Bytes(10)};
    BundleRow const goes{random_id<PackId>(), SessionId{}, 1, Bytes(10)};
    BundleRow const bad{random_id<PackId>(), SessionId{}, 1, Bytes(10)};
    auto const first = put_bundle(repo.store(), repo->keys(), {stays, goes, bad});
    repo.observe([&, done = false](Verb verb, std::string const& name) mutable {
        if (done || verb != Verb::put || !name.starts_with("bundles/")) return;
        done = true;
        put_bundle(repo.store(), repo->keys(), {stays, goes});
        repo.store().remove(names::bundle(first));
    });
    auto const replaced = merge_bundles(*repo, MergeFor::collection,
                                        [&](PackId const& pack) { return pack == goes.pack; });
    repo.observe_nothing();
    ASSERT_EQ(replaced.size(), 1U);
    repo.store().remove(names::bundle(replaced[0]));
    std::vector<PackId> rows;
    for (auto const& name : repo.objects("bundles/")) {
        for (auto const& row : read_bundle(repo.store(), repo->keys(), name))
            rows.push_back(row.pack);
    }
    EXPECT_EQ(rows, std::vector{stays.pack});
}

// Of a writer that failed: no bundle tells of it.
TEST_P(Prune, MeetsAPackThatAnotherRemovesMeanwhile) {
    write_file(source_ / "unknown", random_bytes(700, 9'000));
    auto const before = repo_.objects("packs/");
    repo_.observe([](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("bundles/")) return;
        throw RepositoryError(RepositoryFailure::failed, "stopped");
    });
    EXPECT_EQ(message_of([&] { repo_.save(source_.path()); }), "stopped");
    auto const after = repo_.objects("packs/");
    Names unknown;
    std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                        std::back_inserter(unknown));
    ASSERT_FALSE(unknown.empty());
    auto const other = elsewhere();
    at(Verb::get, unknown[0], [&] { prune_all(*other); });
    prune_all(*repo_);
    repo_.observe_nothing();
    EXPECT_FALSE(repo_.store().stat(unknown[0]));
    expect_all_is_well();
}

// Nobody waits for a writer that began after the condemn record: what it is compared with may go.
TEST_P(Prune, MayTakeAWritersParentWhichThenTriesAgain) {
    auto const other = elsewhere();
    TempFolder const alike;
    make_folder(alike / "deep");
    for (unsigned i = 0; i < 20; ++i) write_file(alike / ("deep/" + std::to_string(i)), "");
    forget_named(*repo_, *repo_.save(alike.path()).id);
    // Its packs are about to be condemned, and are relied on.
    at(Verb::put, "snapshots/", [&] { prune_all(*other); });
    auto const parent = repo_.save(alike.path());
    std::uint64_t removed = 0;
    at(Verb::get, "packs/", [&] {
        forget_named(*other, *parent.id);
        removed = prune_all(*other).removed.packs;
    });
    std::string told;
    Progress progress;
    progress.on_failure = [&](auto const&, auto const& message) { told += message; };
    auto request = saving({alike.path()});
    auto const taken = take_snapshot(*repo_, request, progress);
    repo_.observe_nothing();
    EXPECT_GT(removed, 0U);
    EXPECT_TRUE(contains(told, "was collected meanwhile")) << told;
    EXPECT_EQ(repo_.restored(taken.snapshot, alike.path()), image_of(alike.path()));
    expect_all_is_well();
}

// What an earlier collection replaced, and had no time to remove.
TEST_P(Prune, RemovesBundlesBesideACheckThatListedThem) {
    repo_.observe([](Verb verb, std::string const& name) {
        if (verb != Verb::remove || !name.starts_with("bundles/")) return;
        throw RepositoryError(RepositoryFailure::failed, "stopped");
    });
    EXPECT_EQ(message_of([&] { prune_all(*repo_); }), "stopped");
    auto const before = repo_.objects("bundles/").size();
    auto const other = elsewhere();
    at(Verb::stat, "bundles/", [&] { prune_all(*other); });
    EXPECT_EQ(repo_.errors(), Names{});
    repo_.observe_nothing();
    EXPECT_LT(repo_.objects("bundles/").size(), before);
}

TEST_P(Prune, EndsASilentSessionWhichThenTriesAgain) {
    auto const other = elsewhere();
    std::uint64_t ended = 0;
    at(Verb::put, "bundles/", [&] {
        for (auto const& name : repo_.objects("sessions/")) repo_.store().set_modified(name, 1);
        ended = prune_all(*other).ended_sessions;
    });
    write_file(source_ / "new", random_bytes(903, 50'000));
    second_ = repo_.save(source_.path());
    image_ = image_of(source_.path());
    repo_.observe_nothing();
    EXPECT_EQ(ended, 1U);
    ASSERT_TRUE(second_.id);
    EXPECT_EQ(repo_.ids().size(), 2U);
    expect_all_is_well();
    prune_all(*repo_);
    expect_all_is_well();
}

// What is not readable may need anything.
class PruneRefuses : public Prune {
protected:
    void damage(std::string const& name) {
        Bytes bytes = repo_.store().objects().at(name);
        bytes[bytes.size() / 2] ^= std::byte{1};
        repo_.store().remove(name);
        repo_.put(name, bytes);
    }
    void expect_refusal(std::string const& name) {
        repo_.reopen_elsewhere();
        Names const packs = repo_.objects("packs/");
        EXPECT_EQ(failure_of([&] { prune_all(*repo_); }), RepositoryFailure::corrupt) << name;
        EXPECT_EQ(repo_.objects("packs/"), packs) << name;
    }
    void expect_named_and_refused(std::string const& name) {
        expect_refusal(name);
        EXPECT_TRUE(any_contains(repo_.errors(CheckDepth::structure), name)) << name;
        RepairRequest look;
        Progress progress;
        EXPECT_TRUE(any_contains(repair_repository(*repo_, look, progress).lost_snapshots, name));
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, PruneRefuses, testing::Values(Mode::encrypted));

TEST_P(PruneRefuses, WhenASlotAForgetOrABundleIsDamaged) {
    auto const whole = repo_.store().objects();
    for (auto const& prefix : {"snapshots/", "forgets/", "bundles/"}) {
        for (auto const& name : repo_.objects(prefix)) {
            if (name == names::snapshot(*first_.id)) continue;
            damage(name);
            expect_refusal(name);
            repo_.reset_to(whole);
        }
    }
}

TEST_P(PruneRefuses, WhenAnyPackOfALiveSnapshotIsGone) {
    auto const whole = repo_.store().objects();
    std::size_t refused = 0;
    for (auto const& name : repo_.objects("packs/")) {
        repo_.store().remove(name);
        repo_.reopen_elsewhere();
        bool const is_needed =
            !repo_.errors().empty() && failure_of([&] { repo_.tar_of(second_.snapshot); });
        if (is_needed) {
            expect_refusal(name);
            ++refused;
        }
        repo_.reset_to(whole);
    }
    EXPECT_GE(refused, 2U);
}

// Somebody has taken its slot away: it can be brought back as long as its packs are there.
TEST_P(PruneRefuses, WhileASnapshotIsMissing) {
    auto const later = repo_.save(source_.path());
    std::string const slot = names::snapshot(*second_.id);
    Bytes const bytes = repo_.store().objects().at(slot);
    repo_.store().remove(slot);
    expect_refusal(slot);
    repo_.put(slot, bytes);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
}

// Its session's record is still there, as that of a writer that has died has none.
TEST_P(PruneRefuses, WhileASnapshotOfASilentWriterIsMissing) {
    repo_.save(source_.path());
    std::string const slot = names::snapshot(*second_.id);
    Bytes const bytes = repo_.store().objects().at(slot);
    repo_.store().remove(slot);
    repo_.store().set_modified(names::session(*second_.id), 1);
    expect_refusal(slot);
    EXPECT_FALSE(repo_.store().stat(slot));
    repo_.put(slot, bytes);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    expect_all_is_well();
}

// Nobody followed it, this machine has never seen it, and no collection has run since.
TEST_P(PruneRefuses, WhileTheNewestSnapshotIsMissing) {
    std::string const slot = names::snapshot(*second_.id);
    Bytes const bytes = repo_.store().objects().at(slot);
    repo_.store().remove(slot);
    repo_.store().set_modified(names::session(*second_.id), 1);
    repo_.reopen_elsewhere();
    expect_named_and_refused(slot);
    EXPECT_FALSE(repo_.store().stat(slot)) << "its session was ended";
    repo_.put(slot, bytes);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    expect_all_is_well();
}

// Who followed it is no snapshot any more, at first by a record, then without a trace.
TEST_P(PruneRefuses, WhileASnapshotIsMissingWhoseFollowerWasForgotten) {
    auto const third = repo_.save(source_.path());
    repo_.save(source_.path());
    prune_all(*repo_);  // whose sessions leave no record now
    std::string const slot = names::snapshot(*second_.id);
    Bytes const bytes = repo_.store().objects().at(slot);
    forget_named(*repo_, *third.id);
    repo_.store().remove(slot);
    expect_named_and_refused(slot);
    repo_.put(slot, bytes);
    PruneRequest closing = tidy();
    closing.slots_per_checkpoint = 1;
    prune_all(*repo_, closing);
    ASSERT_FALSE(repo_.store().stat(names::snapshot(*third.id)));
    repo_.store().remove(slot);
    expect_named_and_refused(slot);
    repo_.put(slot, bytes);
    expect_all_is_well();
}

TEST_P(PruneRefuses, UntilAMissingSnapshotIsGivenUp) {
    repo_.save(source_.path());
    repo_.store().remove(names::snapshot(*second_.id));
    RepairRequest give_up;
    give_up.apply = true;
    Progress progress;
    EXPECT_EQ(repair_repository(*repo_, give_up, progress).lost_snapshots.size(), 1U);
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
}

TEST_P(PruneRefuses, ToMoveWhatIsDamaged) {
    auto const whole = repo_.store().objects();
    for (auto const& name : repo_.objects("packs/")) {
        damage(name);
        repo_.reopen_elsewhere();
        auto const failure = failure_of([&] { prune_all(*repo_); });
        EXPECT_TRUE(!failure || failure == RepositoryFailure::corrupt) << name;
        EXPECT_TRUE(!failure || repo_.store().stat(name)) << name;
        repo_.reset_to(whole);
    }
}

// What is damaged stays; everything else is collected by the same run, on machines that had not met
// the damage, too.
TEST_P(PruneRefuses, NothingButThePacksThatItFindsDamaged) {
    for (unsigned i = 0; i < 3; ++i) {
        write_file(source_ / ("half" + std::to_string(i)), random_bytes(800U + i, 60'000));
        write_file(source_ / ("gone" + std::to_string(i)), random_bytes(900U + i, 60'000));
        repo_.save(source_.path());
    }
    auto const packs = repo_.objects("packs/");
    run_command("rm '" + source_.path() + "'/gone*");
    repo_.save(source_.path());
    ForgetRequest only_the_last;
    only_the_last.rules.count.last = 1;
    only_the_last.allow_many = true;
    Progress progress;
    forget(*repo_, only_the_last, progress);
    Names damaged;
    for (auto const& name : packs) {
        if (repo_.store().objects().at(name).size() < 100'000) continue;
        damage(name);
        damaged.push_back(name);
    }
    ASSERT_GE(damaged.size(), 3U);
    repo_.reopen_elsewhere();
    auto const before = repo_.objects("packs/").size();
    auto const report = prune_all(*repo_);
    EXPECT_GE(report.damaged.size(), 3U);
    EXPECT_GT(report.removed.packs, 0U);
    EXPECT_LT(repo_.objects("packs/").size(), before) << "moved more than once";
    for (auto const& name : damaged) EXPECT_TRUE(repo_.store().stat(name)) << name;
    auto const next = prune_all(*repo_);
    EXPECT_EQ(next.removed.packs, 0U);
    EXPECT_TRUE(next.damaged.empty());
}

// Stops at every call that changes the store, for good; then it is run again.
TEST_P(Prune, MayBeStoppedAnywhere) {
    auto const before = repo_.store().objects();
    constexpr std::uint64_t call_limit = 500;
    for (std::uint64_t call = 1; call < call_limit; ++call) {
        SCOPED_TRACE("call " + std::to_string(call));
        repo_.reset_to(before);
        FaultPlan fault(call, FaultPlan::Scope::changes, FaultPlan::Then::stay_broken,
                        RepositoryFailure::failed);
        repo_.observe([&](Verb verb, std::string const& name) { fault(verb, name); });
        auto const failure = failure_of([&] { prune_all(*repo_); });
        repo_.observe_nothing();
        ASSERT_EQ(failure.has_value(), fault.has_failed());
        repo_.reopen();
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
        prune_all(*repo_);
        EXPECT_EQ(prune_all(*repo_).unused, 0U);
        expect_all_is_well();
        if (HasFailure() || !failure) {
            EXPECT_GT(call, 10U);
            return;
        }
    }
    FAIL() << "never succeeds";
}

using Objects = std::map<std::string, Bytes>;

// Of each record in turn: what is saved can be restored all the same, and then the log is mended.
class DamagedLog : public Prune {
protected:
    void SetUp() override {
        Prune::SetUp();
        PruneRequest closing = tidy();
        closing.slots_per_checkpoint = 1;
        prune_all(*repo_, closing);
        for (unsigned i = 0; i < 2; ++i) {
            write_file(source_ / "file1", random_bytes(800 + i, 30'000));
            auto const next = repo_.save(source_.path());
            forget_named(*repo_, *std::exchange(second_, next).id);
            prune_all(*repo_);
        }
        image_ = image_of(source_.path());
        records_ = repo_.objects("gclog/");
        ASSERT_GE(records_.size(), 6U);
        whole_ = repo_.store().objects();
    }
    void expect_restorable() {
        repo_.reopen_elsewhere();
        auto const list = list_snapshots(*repo_);
        auto const latest = find_snapshot(list, "latest", {});
        EXPECT_EQ(latest.id, second_.id);
        EXPECT_EQ(repo_.restored(latest.snapshot, source_.path()), image_);
    }
    void expect_restorable_by_id() {
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
    }
    // `is_needed`: it is not before the last checkpoint.
    void expect_mended(std::string const& name, bool is_needed) {
        SCOPED_TRACE(name);
        expect_restorable();
        auto const before = repo_.objects();
        EXPECT_TRUE(any_contains(repair(false).damaged_log, name));
        EXPECT_EQ(repo_.objects(), before);
        if (is_needed) {
            EXPECT_TRUE(any_contains(repo_.errors(), name));
            EXPECT_EQ(failure_of([&] { prune_all(*repo_); }), RepositoryFailure::corrupt);
        }
        EXPECT_TRUE(any_contains(repair(true).damaged_log, name));
        EXPECT_FALSE(repair(true).is_needed());
        expect_all_is_well();
        write_file(source_ / "later", random_bytes(900, 5'000));
        auto const later = repo_.save(source_.path());
        forget_named(*repo_, *later.id);
        EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
        ::unlink((source_ / "later").c_str());
        expect_all_is_well();
    }

    Names records_;
    Objects whole_;
};

INSTANTIATE_TEST_SUITE_P(Modes, DamagedLog, testing::Values(Mode::encrypted));

TEST_P(DamagedLog, IsMended) {
    GcState const before = read_gc_log(repo_.store(), repo_->keys());
    std::size_t const needed = records_.size() - before.since_checkpoint - 1;
    for (std::size_t i = 0; i < records_.size(); ++i) {
        Objects objects = whole_;
        objects[records_[i]][30] ^= std::byte{1};
        repo_.reset_to(std::move(objects));
        expect_mended(records_[i], i >= needed);
    }
}

TEST_P(DamagedLog, IsMendedWhereARecordIsMissing) {
    GcState const before = read_gc_log(repo_.store(), repo_->keys());
    ASSERT_GT(before.first_needed(), 0U);
    for (std::size_t i = 0; i + 1 < records_.size(); ++i) {
        Objects objects = whole_;
        objects.erase(records_[i]);
        repo_.reset_to(std::move(objects));
        if (i >= before.first_needed()) {
            expect_mended(records_[i], true);
            continue;
        }
        EXPECT_FALSE(repair(false).is_needed());
        expect_all_is_well();
    }
}

TEST_P(DamagedLog, IsRebuiltFromTheCheckpointBefore) {
    for (unsigned i = 0; i < 3; ++i) collect_and_sum_up(*repo_, 700 + i);
    EXPECT_NE(repo_.objects("gclog/").front(), names::log_record(0));
    GcState const before = read_gc_log(repo_.store(), repo_->keys());
    std::string const newest = repo_.objects("gclog/").back();
    damage(newest);
    EXPECT_EQ(failure_of([&] { read_gc_log(repo_.store(), repo_->keys()); }),
              RepositoryFailure::corrupt);
    repair(true);
    GcState const after = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_EQ(after.swept, before.swept);
    EXPECT_EQ(after.closed.size() + 1, before.closed.size()) << "but for the last";
    EXPECT_FALSE(repair(true).is_needed());
    expect_all_is_well();
}

// What was swept or closed stays so: other records say it, too.
TEST_P(DamagedLog, KeepsWhatOtherRecordsSay) {
    GcState const before = read_gc_log(repo_.store(), repo_->keys());
    ASSERT_FALSE(before.swept.empty() || before.closed.empty());
    Objects objects = whole_;
    std::size_t const checkpoint = records_.size() - before.since_checkpoint - 1;
    objects[records_[checkpoint]][30] ^= std::byte{1};
    repo_.reset_to(std::move(objects));
    repair(true);
    GcState const after = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_EQ(after.swept, before.swept);
    EXPECT_FALSE(after.ends_in_condemn);
}

// Whether a snapshot that was seen here is closed or was taken away, only the log could tell.
TEST_P(DamagedLog, HidesNoRollback) {
    auto const store = std::shared_ptr<Backend>(&repo_.store(), [](Backend*) {});
    auto const open = [&](OpenOptions options) {
        options.cache_folder = other_cache_.path();
        return open_repository(store, repo_.credentials(), options);
    };
    auto const seen = open({});
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    ASSERT_TRUE(log.closed.contains(*first_.id));
    seen->update_local_state(
        [&](LocalState& state) { state.heads[random_id<WriterId>()] = *first_.id; });
    std::string const last = records_.back();
    damage(last);
    EXPECT_EQ(failure_of([&] { open({}); }), RepositoryFailure::corrupt);
    OpenOptions accepting;
    accepting.accept_rollback = true;
    EXPECT_EQ(list_snapshots(*open(accepting)).snapshots.size(), 1U);
    OpenOptions repairing;
    repairing.report_rollback = true;
    RepairRequest request;
    request.apply = true;
    Progress progress;
    EXPECT_TRUE(
        any_contains(repair_repository(*open(repairing), request, progress).damaged_log, last));
    EXPECT_EQ(list_snapshots(*open({})).snapshots.size(), 1U);
}

// Whoever had condemned before must not sweep what was relied on since.
TEST_P(DamagedLog, TakesBackWhatWasCondemned) {
    write_file(source_ / "file1", random_bytes(850, 30'000));
    auto const next = repo_.save(source_.path());
    image_ = image_of(source_.path());
    forget_named(*repo_, *std::exchange(second_, next).id);
    auto const other = elsewhere();
    bool is_mended = false;
    repo_.observe([&](Verb verb, std::string const& name) {
        bool const follows = verb == Verb::list && name == "sessions/" &&
                             repo_.objects("gclog/").size() == records_.size() + 1;
        if (is_mended || !follows) return;
        is_mended = true;
        damage(repo_.objects("gclog/").back());
        RepairRequest request;
        request.apply = true;
        Progress progress;
        EXPECT_EQ(repair_repository(*other, request, progress).damaged_log.size(), 1U);
    });
    auto const report = prune_all(*repo_);
    repo_.observe_nothing();
    EXPECT_TRUE(is_mended);
    EXPECT_FALSE(report.resumed);
    expect_all_is_well();
}

// What file managers and network file systems leave; and what somebody has put there.
TEST_P(DamagedLog, OtherFilesAreSetAside) {
    for (std::string const name : {"gclog/notes.txt", "gclog/9999999999999999",
                                   "gclog/0000000000009999", "snapshots/copy of something"}) {
        repo_.reset_to(whole_);
        repo_.put(name, Bytes(100));
        expect_restorable_by_id();
        EXPECT_TRUE(any_contains(repo_.errors(), name)) << name;
        EXPECT_TRUE(repair(true).is_needed());
        EXPECT_FALSE(repair(true).is_needed());
        EXPECT_EQ(repo_.objects("quarantine/").size(), 1U);
        expect_all_is_well();
        prune_all(*repo_);
    }
}

// Whatever its number: no record tells that there were others before it.
TEST_P(Prune, AFileInTheFolderOfAnEmptyLogIsSetAside) {
    for (std::string const name :
         {"gclog/0999999999999998", "gclog/0999999999999999", "gclog/1000000000000000"}) {
        repo_.put(name, Bytes(100));
        EXPECT_TRUE(any_contains(repair(true).damaged_log, name));
        EXPECT_FALSE(repair(true).is_needed());
        EXPECT_LE(repo_.objects("gclog/").back(), names::log_record(9));
    }
    EXPECT_GT(prune_all(*repo_).removed.packs, 0U);
    expect_all_is_well();
}

// A sweep that was appended where records were removed lay before checkpoints that are lost.
TEST_P(Prune, WhatFollowsNoCheckpointIsNotSwept) {
    auto const needed = PackId::parse(last_component(repo_.objects("packs/").front()));
    repo_.put_log(5, {LogKind::sweep, {needed.value()}, {}, {}});
    repo_.put(names::log_record(8), Bytes(100));
    repo_.put_log(9, {LogKind::condemn, {}, {}, {}});
    repo_.put_log(10, {LogKind::sweep, {}, {}, {}});
    EXPECT_TRUE(any_contains(repair(true).damaged_log, names::log_record(8)));
    EXPECT_FALSE(repair(true).is_needed());
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_EQ(log.next_record, 12U);
    EXPECT_EQ(log.swept, std::vector<PackId>{});
    expect_all_is_well();
}

// A pack of which nothing is needed goes; one that is needed in part finds no other place.
TEST_P(Prune, FreesWhatItCanOnAFullDisk) {
    write_file(source_ / "new", random_bytes(700, 300'000));
    auto const third = repo_.save(source_.path());
    forget_named(*repo_, *third.id);
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("packs/")) return;
        throw RepositoryError(RepositoryFailure::no_space, name + ": no space");
    });
    auto const report = prune_all(*repo_);
    EXPECT_GT(report.removed.bytes, 300'000U);
    EXPECT_TRUE(report.lacked_room);
    EXPECT_GT(report.unused, 300'000U);
    repo_.observe_nothing();
    auto const with_room = prune_all(*repo_);
    EXPECT_FALSE(with_room.lacked_room);
    EXPECT_EQ(with_room.unused, 0U);
    expect_all_is_well();
}

// Not even for a record of its own is there room, until the reserve is freed.
TEST_P(Prune, HasAReserveForADiskThatIsFull) {
    make_reserve(repo_.store());
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::put || !repo_.store().stat("reserve")) return;
        throw RepositoryError(RepositoryFailure::no_space, name + ": no space");
    });
    EXPECT_GT(prune_all(*repo_).removed.bytes, 0U);
    EXPECT_EQ(repo_.objects("reserve"), Names{"reserve"});
    forget_named(*repo_, *second_.id);
    EXPECT_EQ(repo_.ids(), Names{});
    EXPECT_GT(prune_all(*repo_).removed.bytes, 0U);
    repo_.observe_nothing();
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
}

TEST_P(Prune, ClosesTheSlotsOfManyForgottenSnapshots) {
    std::vector<SessionId> ids;
    for (unsigned i = 0; i < 40; ++i) {
        write_file(source_ / "new", random_bytes(700 + i, 3'000));
        ids.push_back(*repo_.save(source_.path()).id);
    }
    for (auto const& id : ids) forget_named(*repo_, id);
    prune_all(*repo_);
    EXPECT_EQ(repo_.objects("snapshots/").size(), 1U);
    EXPECT_EQ(repo_.objects("forgets/"), Names{});
    EXPECT_EQ(repo_.ids(), Names{second_.id->hex()});
    GcState const log = read_gc_log(repo_.store(), repo_->keys());
    EXPECT_EQ(log.closed.size(), 41U);
    EXPECT_EQ(log.since_checkpoint, 0U);
    repo_.reopen();
    expect_all_is_well();
    auto const next = repo_.save(source_.path());
    forget_named(*repo_, *next.id);
    prune_all(*repo_);
    EXPECT_EQ(read_gc_log(repo_.store(), repo_->keys()).closed.size(), 41U);
    expect_all_is_well();
}

TEST_P(Prune, ARestoreThatBeganBeforeFindsWhatWasMoved) {
    auto const other = elsewhere();
    bool done = false;
    at(Verb::get, "packs/", [&] {
        prune_all(*other);
        done = true;
    });
    EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
    repo_.observe_nothing();
    EXPECT_TRUE(done);
}

// Its slot is there, and whole: nobody may take it for damaged.
TEST_P(Prune, AForgottenSnapshotIsNotForgottenAgain) {
    EXPECT_TRUE(
        contains(message_of([&] { forget_named(*repo_, *first_.id); }), "no snapshot begins with"));
}

TEST_P(Prune, AForgottenSnapshotComesBackUntilItIsCollected) {
    Progress progress;
    auto const back = unforget(*repo_, first_.id->hex(), progress);
    EXPECT_EQ(repo_.ids().size(), 2U);
    EXPECT_EQ(back.now.snapshot.was, first_.id);
    prune_all(*repo_);
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.tar_of(back.now.snapshot).size(), repo_.tar_of(first_.snapshot).size());
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
    forget_named(*repo_, back.now.id);
    prune_all(*repo_);
    EXPECT_EQ(failure_of([&] { unforget(*repo_, back.now.id.hex(), progress); }),
              RepositoryFailure::failed);
    expect_all_is_well();
}

// Before, every one of these had been shown as one that can be taken back.
TEST_P(Prune, ShowsOnlyWhatCanBeTakenBack) {
    for (unsigned i = 0; i < 3; ++i) {
        write_file(source_ / "file1", random_bytes(600 + i, 9'000));
        repo_.save(source_.path());
    }
    auto const shared = repo_.save(source_.path());  // its data are the last one's, too
    ForgetRequest all_but_one;
    all_but_one.rules.count.last = 1;
    all_but_one.allow_many = true;
    Progress progress;
    auto const last = repo_.save(source_.path());
    forget(*repo_, all_but_one, progress);
    EXPECT_EQ(forgotten_snapshots(*repo_).snapshots.size(), 6U);
    prune_all(*repo_);
    auto const forgotten = forgotten_snapshots(*repo_);
    EXPECT_TRUE(forgotten.damaged.empty());
    std::size_t refused = 0;
    for (auto const& name : repo_.objects("forgets/")) {
        auto const id = *SessionId::parse(last_component(name));
        bool const is_shown =
            std::any_of(forgotten.snapshots.begin(), forgotten.snapshots.end(),
                        [&](NamedSnapshot const& named) { return named.id == id; });
        bool const comes_back = !failure_of([&] { unforget(*repo_, id.hex(), progress); });
        EXPECT_EQ(comes_back, is_shown) << name;
        refused += comes_back ? 0 : 1;
    }
    EXPECT_GE(refused, 4U);
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
}

TEST_P(Prune, ADryRunLeavesTheReserve) {
    make_reserve(repo_.store());
    repo_.observe([](Verb verb, std::string const& name) {
        if (verb == Verb::list && name == "packs/")
            throw RepositoryError(RepositoryFailure::no_space, "no space for the index");
    });
    PruneRequest look;
    look.dry_run = true;
    Progress progress;
    EXPECT_EQ(failure_of([&] { prune(*repo_, look, progress); }), RepositoryFailure::no_space);
    EXPECT_EQ(failure_of([&] {
                  repair_repository(*repo_, {false, true, 1}, progress);
              }),
              RepositoryFailure::no_space);
    repo_.observe_nothing();
    EXPECT_TRUE(repo_.store().stat(names::reserve));
}

// The plan comes before the first change, and says what is gained.
TEST_P(Prune, SaysFirstWhatItIsGoingToDo) {
    auto const before = stored();
    std::vector<PruneSums> plans;
    bool has_changed = false;
    PruneRequest request = tidy();
    request.on_plan = [&](PruneSums const& plan) {
        EXPECT_FALSE(has_changed);
        plans.push_back(plan);
    };
    repo_.observe([&](Verb verb, std::string const& name) {
        bool const changes = verb == Verb::put || verb == Verb::remove;
        has_changed = has_changed || (changes && name.starts_with("packs/"));
    });
    auto const report = prune_all(*repo_, request);
    repo_.observe_nothing();
    ASSERT_EQ(plans.size(), 1U);
    EXPECT_EQ(plans[0].total.bytes, before);
    EXPECT_EQ(plans[0].unneeded.packs, report.unneeded.packs);
    EXPECT_GT(plans[0].frees, plans[0].unneeded.bytes);
    double const foreseen = static_cast<double>(plans[0].frees);
    EXPECT_NEAR(static_cast<double>(before - stored()), foreseen, 0.1 * foreseen);
}

TEST_P(Prune, IsTakenBackOnce) {
    Progress progress;
    auto const back = unforget(*repo_, first_.id->hex(), progress);
    EXPECT_TRUE(forgotten_snapshots(*repo_).snapshots.empty());
    EXPECT_EQ(unforget(*repo_, first_.id->hex(), progress).now.id, back.now.id);
    TagChange change;
    change.add = {"kept"};
    auto const tagged = change_tags(*repo_, {back.now}, change, progress, {}).at(0);
    EXPECT_EQ(unforget(*repo_, back.now.id.hex(), progress).now.id, tagged.now.id);
    forget_named(*repo_, tagged.now.id);
    EXPECT_TRUE(contains(message_of([&] { unforget(*repo_, back.now.id.hex(), progress); }),
                         "take that one back"));
    auto const forgotten = forgotten_snapshots(*repo_).snapshots;
    ASSERT_EQ(forgotten.size(), 1U);
    EXPECT_EQ(forgotten[0].id, tagged.now.id);
    EXPECT_EQ(repo_.ids().size(), 1U);
    unforget(*repo_, tagged.now.id.hex(), progress);
    EXPECT_EQ(repo_.ids().size(), 2U);
}

// Its damage would be none: it tells that the snapshot was given up.
TEST_P(Prune, ARestoreOfWhatIsGivenUpMeanwhileSaysSo) {
    write_file(source_ / "last", random_bytes(500, 9'000));
    repo_.save(source_.path());
    auto const other = elsewhere();
    at(Verb::get, "packs/", [&] {
        forget_named(*other, *second_.id);
        for (int i = 0; i < 3; ++i) prune_all(*other);
    });
    TempFolder target;
    RestoreRequest request;
    request.from = {*second_.id, second_.snapshot, ""};
    request.target = target.path();
    request.threads = 1;
    Progress progress;
    std::string message;
    auto const failure = failure_of([&] {
        message = message_of([&] { restore_snapshot(*repo_, request, progress); });
        if (!message.empty()) restore_snapshot(*repo_, request, progress);
    });
    EXPECT_EQ(failure, RepositoryFailure::failed);
    EXPECT_TRUE(contains(message, "was forgotten, and collected in part, while it was read"))
        << message;
}

TEST_P(Prune, ACondemnedSnapshotDoesNotComeBack) {
    auto const other = elsewhere();
    Progress progress;
    std::optional<RepositoryFailure> failure;
    at(Verb::put, "packs/", [&] {
        PruneRequest lazy = tidy();
        lazy.max_unused = 0;
        EXPECT_EQ(prune_all(*other, lazy).waiting_for.size(), 1U);
        failure = failure_of([&] { unforget(*other, first_.id->hex(), progress); });
    });
    write_file(source_ / "new", random_bytes(904, 50'000));
    second_ = repo_.save(source_.path());
    image_ = image_of(source_.path());
    repo_.observe_nothing();
    EXPECT_EQ(failure, RepositoryFailure::failed);
    prune_all(*repo_);
    expect_all_is_well();
}

TEST_P(Prune, TwoAtOnceDoNoHarm) {
    auto const other = elsewhere();
    for (auto const& [verb, prefix] :
         std::vector<std::pair<Verb, std::string>>{{Verb::list, "packs/"},
                                                   {Verb::put, "packs/"},
                                                   {Verb::put, "bundles/"},
                                                   {Verb::put, "gclog/"},
                                                   {Verb::list, "sessions/"},
                                                   {Verb::remove, "packs/"}}) {
        SCOPED_TRACE(prefix);
        at(verb, prefix, [&] { prune_all(*other); });
        prune_all(*repo_);
        repo_.observe_nothing();
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
        write_file(source_ / "passing", random_bytes(800, 30'000));
        auto const passing = repo_.save(source_.path());
        forget_named(*repo_, *passing.id);
        ::unlink((source_ / "passing").c_str());
    }
}

TEST_P(Prune, TagsAndPinsMakeAnotherSnapshotOfTheSameTrees) {
    Progress progress;
    TagChange change;
    change.add = {"before-upgrade"};
    change.pin = true;
    auto const changed =
        change_tags(*repo_, {{*second_.id, second_.snapshot}}, change, progress, {});
    ASSERT_EQ(changed.size(), 1U);
    auto const& done = changed[0];
    EXPECT_EQ(repo_.ids(), Names{done.now.id.hex()});
    EXPECT_EQ(repo_.find("latest").snapshot.tags, Names{"before-upgrade"});
    EXPECT_EQ(failure_of([&] { forget_named(*repo_, done.now.id); }), RepositoryFailure::failed);
    EXPECT_TRUE(change_tags(*repo_, {done.now}, change, progress, {}).empty());
    EXPECT_EQ(failure_of([&] {
                  change_tags(*repo_, {{*second_.id, second_.snapshot}}, change, progress, {});
              }),
              RepositoryFailure::failed);
    prune_all(*repo_);
    expect_all_is_well();
}

// Two that show one moment would each count for the rules of what to keep.
TEST_P(Prune, ATagThatWasKilledLeavesOneSnapshot) {
    Progress progress;
    auto named = NamedSnapshot{*second_.id, second_.snapshot};
    for (auto const* tag : {"one", "two"}) {
        TagChange change;
        change.add = {tag};
        repo_.observe([&](Verb verb, std::string const& name) {
            if (verb == Verb::put && name.starts_with("forgets/"))
                throw RepositoryError(RepositoryFailure::failed, "killed");
        });
        EXPECT_EQ(failure_of([&] { change_tags(*repo_, {named}, change, progress, {}); }),
                  RepositoryFailure::failed);
        repo_.observe_nothing();
        ASSERT_EQ(repo_.ids().size(), 1U);
        // Whoever has listed it before does not tag it beside the other one.
        EXPECT_EQ(failure_of([&] { change_tags(*repo_, {named}, change, progress, {}); }),
                  RepositoryFailure::failed);
        named = {repo_.find("latest").id, repo_.find("latest").snapshot};
    }
    EXPECT_EQ(named.snapshot.tags, (Names{"one", "two"}));
    prune_all(*repo_);
    expect_all_is_well();
    // None of those behind it comes back.
    forget_named(*repo_, named.id);
    EXPECT_EQ(repo_.ids(), Names{});
}

// What a killed run has stored is removed before as much is stored again.
TEST_P(Prune, GoesOnWhereARunWasKilledWhileItMoved) {
    auto const stored = [&] {
        std::uint64_t bytes = 0;
        for (auto const& object : repo_->store().list("packs/")) bytes += object.size;
        return bytes;
    };
    std::uint64_t const before = stored();
    for (int kill = 0; kill < 6; ++kill) {
        repo_.observe([&](Verb verb, std::string const& name) {
            if (verb == Verb::put && name.starts_with("bundles/"))
                throw RepositoryError(RepositoryFailure::failed, "killed");
        });
        EXPECT_EQ(failure_of([&] { prune_all(*repo_); }), RepositoryFailure::failed);
        repo_.observe_nothing();
        EXPECT_LT(stored(), 2 * before);
    }
    prune_all(*repo_);
    EXPECT_LT(stored(), before);
    expect_all_is_well();
}

// The folder as a delta on another folder's piece.
Node delta_folder(HostileRepo& repo, Node const& entry, ListEntry const& base, Node const& before) {
    Bytes const piece = encode_tree_piece({entry});
    BlockRow row;
    row.plain_size = static_cast<std::uint32_t>(piece.size());
    row.chunks = {{repo.name(PackKind::meta, piece), 0, row.plain_size}};
    row.codec = Codec::zstd_delta;
    row.depth = 1;
    row.bases = {base.id};
    repo.add_block(PackKind::meta, row, delta_frame(piece, encode_tree_piece({before})));
    return repo.folder_of("root", {0, {{row.chunks[0].id, 1}}});
}

// What a delta rests on may be a folder of a later snapshot: then all beneath it is needed too.
TEST(PruneOfDeltas, KeepsWhatIsBeneathABase) {
    HostileRepo repo;
    Node const old_file = repo.file("file", "old content");
    Node const old_root = repo.folder("root", {old_file});
    repo.flush();
    Node const new_file = repo.file("file", "new content");
    Node const new_root = delta_folder(repo, new_file, old_root.content.entries[0], old_file);
    repo.publish({});
    Snapshot snapshot;
    for (auto const& root : {new_root, old_root}) {
        snapshot.root = root;
        ++snapshot.time_ns;
        std::string const name = names::snapshot(random_id<SessionId>());
        repo->put(name,
                  (*repo)->keys().seal_object(ObjectKind::snapshot, name, encode_slot({snapshot})));
    }
    EXPECT_EQ(prune_all(**repo).waiting_for.size(), 0U);
    EXPECT_EQ(repo->dumped(snapshot, "/file"), "old content");
    snapshot.root = new_root;
    EXPECT_EQ(repo->dumped(snapshot, "/file"), "new content");
}

// Each short run leaves a small pack with a key of its own: so many keys are more than a pack may
// have, and what is full of them is not moved again.
TEST(PruneOfShortRuns, MovesMoreOfThemThanAPackHasKeys) {
    constexpr unsigned runs = 9 * 1024;
    static_assert(runs > 2 * limits::keys_per_pack);
    HostileRepo repo;
    std::vector<Node> files;
    for (unsigned i = 0; i < runs; ++i) {
        std::string const number = std::to_string(10'000 + i);
        files.push_back(repo.file("file" + number, "content " + number));
        repo.renew_keys();
    }
    repo.publish(files);
    EXPECT_EQ(prune_all(**repo).removed.packs, runs);
    EXPECT_LT(repo->objects("packs/").size(), 16U);
    EXPECT_EQ(prune_all(**repo).removed.packs, 0U);
    repo->reopen_elsewhere();
    EXPECT_EQ(repo->errors(CheckDepth::read_data), std::vector<std::string>{});
}

// Of the pack with the trees that a snapshot has stored.
std::string tree_pack_of(Repository& repository, SessionId const& id) {
    std::string name;
    Index::View const view = repository.index_view();
    view.each_pack([&](PackNumber number, IndexedPack const& pack) {
        if (pack.session == id && view.directory(number).kind == PackKind::meta)
            name = names::pack(pack.id);
    });
    return name;
}

// A repair replaces bundles without a word in the log; then the packs of a new index have other
// numbers. Those are random, so that one round says little.
TEST(PruneBesideRepair, MarksHoldForOneIndexOnly) {
    for (unsigned round = 0; round < 8; ++round) {
        TempFolder const source;
        TempFolder const elsewhere;
        TestRepo repo;
        std::vector<SnapshotResult> taken;
        for (unsigned i = 0; i < 6; ++i) {
            write_file(source / std::to_string(i % 3), random_bytes(100 * round + i, 30'000));
            taken.push_back(repo.save(source.path()));
        }
        for (unsigned i = 0; i < 3; ++i) forget_named(*repo, *taken[i].id);
        std::string const damaged = tree_pack_of(*repo, *taken[4].id);
        Bytes bytes = repo.store().objects().at(damaged);
        bytes[bytes.size() - 50] ^= std::byte{1};  // in its table; its blocks can be read
        repo.store().remove(damaged);
        repo.put(damaged, bytes);
        auto const other =
            open_repository(repo.observed(), repo.credentials(), {elsewhere / "cache", false});
        bool is_repaired = false;
        repo.observe([&](Verb verb, std::string const& name) {
            if (verb != Verb::get || name != damaged || std::exchange(is_repaired, true)) return;
            Progress progress;
            RepairRequest request;
            request.apply = true;
            repair_repository(*other, request, progress);
        });
        PruneRequest request;
        prune_all(*repo, request);
        EXPECT_TRUE(is_repaired);
        repo.observe_nothing();
        repo.reopen_elsewhere();
        EXPECT_EQ(repo.errors(CheckDepth::read_data), std::vector<std::string>{})
            << "round " << round;
    }
}

}  // namespace
}  // namespace coffre
