// Repair: what can be is made whole, what cannot is named, and nothing is destroyed.
#include "engine/repair.h"

#include <gtest/gtest.h>

#include "engine/forget.h"
#include "engine/keys.h"
#include "engine/maintain/open_sessions.h"
#include "engine/maintain/quarantine.h"
#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/session.h"
#include "engine/tag.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;
using Names = std::vector<std::string>;

class Repair : public testing::TestWithParam<Mode> {
protected:
    // Two snapshots of some files; the second has one more.
    void SetUp() override {
        for (unsigned i = 0; i < 30; ++i) {
            write_file(source_ / ("file" + std::to_string(i)), random_bytes(i, 100'000));
        }
        first_ = repo_.save(source_.path());
        write_file(source_ / "later", random_bytes(99, 30'000));
        second_ = repo_.save(source_.path());
        image_ = image_of(source_.path());
    }
    RepairReport repair(bool apply = true) {
        Progress progress;
        return repair_repository(*repo_, {apply, true, 2}, progress);
    }
    // As a collector does; those that have published stay as they are.
    void end_sessions() {
        for (auto const& name : repo_.objects("sessions/"))
            end_session(repo_.store(), repo_->keys(), session_of(name).value());
    }
    bool holds_data(std::string const& name) {
        auto const view = repo_->index_view();
        auto const number = view.number(*PackId::parse(last_component(name)));
        return number && view.directory(*number).kind == PackKind::data;
    }
    // The largest one with chunks of files.
    std::string data_pack() {
        std::string found;
        for (auto const& object : repo_.store().list("packs/")) {
            if (holds_data(object.name) &&
                (found.empty() || object.size > repo_.store().stat(found)->size))
                found = object.name;
        }
        return found;
    }
    void flip(std::string const& name, std::size_t at) {
        Bytes bytes = repo_.store().objects().at(name);
        bytes[at] ^= std::byte{1};
        repo_.store().remove(name);
        repo_.put(name, bytes);
    }
    // Of a pack, whose name it returns.
    std::string save_what_is_damaged_again() {
        auto damaged = data_pack();
        flip(damaged, 5'000);
        repo_.errors(CheckDepth::read_data);
        repo_.save(source_.path());
        return damaged;
    }
    // By a prune, and nothing that was saved goes with it.
    void expect_collected(std::string const& pack) {
        PruneRequest tidy;
        tidy.max_unused = std::nullopt;
        Progress progress;
        prune(*repo_, tidy, progress);
        EXPECT_FALSE(repo_.store().stat(pack));
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), std::vector<std::string>{});
        expect_whole();
    }
    // Each chunk of a file twice: of one copy the packs are damaged, and the other one is about to
    // be removed.
    LogRecord condemn_the_sound_copies() {
        auto const first_packs = repo_.objects("packs/");
        auto const bundles = repo_.store().objects();
        for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
        repo_.reopen();
        SnapshotRequest again = saving({source_.path()});
        again.parent = ParentChoice::none;
        repo_.take(std::move(again));
        for (auto const& [name, bytes] : bundles) {
            if (name.starts_with("bundles/")) repo_.put(name, bytes);
        }
        repo_.reopen();
        LogRecord condemn{LogKind::condemn, {}, {}, {}};
        for (auto const& name : repo_.objects("packs/")) {
            bool const is_first =
                std::find(first_packs.begin(), first_packs.end(), name) != first_packs.end();
            if (is_first && holds_data(name)) flip(name, 5'000);
            if (!is_first) condemn.packs.push_back(*PackId::parse(last_component(name)));
        }
        std::sort(condemn.packs.begin(), condemn.packs.end());
        repo_.append_log(condemn);
        return condemn;
    }
    static std::set<std::string> paths(RepairReport const& report) {
        std::set<std::string> paths;
        EXPECT_TRUE(report.hurt);
        if (!report.hurt) return paths;
        for (auto const& hurt : *report.hurt) paths.insert(hurt.path);
        return paths;
    }
    // Files of the second snapshot that do not read back as they were.
    std::set<std::string> unreadable() {
        std::set<std::string> paths;
        for (unsigned i = 0; i <= 30; ++i) {
            std::string const path = source_ / (i < 30 ? "file" + std::to_string(i) : "later");
            auto const failed = failure_of(
                [&] { EXPECT_EQ(repo_.dumped(second_.snapshot, path), read_file(path)) << path; });
            if (failed) paths.insert(path);
        }
        return paths;
    }
    void expect_whole() {
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
        EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
    }

    TempFolder source_;
    TestRepo repo_{GetParam(), {4096, 16384, 65536}};
    SnapshotResult first_;
    SnapshotResult second_;
    TreeImage image_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Repair, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "Plain" : "Encrypted";
                         });

// Nobody can bring it back, and nobody is told of it for ever.
TEST_P(Repair, GivesUpASnapshotThatIsGone) {
    repo_.store().remove(names::snapshot(*first_.id));
    EXPECT_TRUE(any_contains(repo_.errors(), first_.id->hex() + ": is missing"));
    EXPECT_EQ(repair(false).lost_snapshots.size(), 1U);
    auto const report = repair();
    EXPECT_EQ(report.lost_snapshots.size(), 1U);
    EXPECT_TRUE(report.is_whole());
    EXPECT_FALSE(repair().is_needed());
    repo_.reopen();
    expect_whole();
}

TEST_P(Repair, OfASoundRepositoryChangesNothing) {
    auto const before = repo_.objects();
    auto const report = repair(false);
    EXPECT_FALSE(report.is_needed());
    EXPECT_TRUE(report.is_whole());
    EXPECT_EQ(repo_.objects(), before);
    EXPECT_FALSE(repair().is_needed());
    EXPECT_EQ(repo_.objects("quarantine/"), Names{});
    expect_whole();
}

TEST_P(Repair, MakesBundlesAnewFromPacks) {
    for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
    repo_.reopen();
    auto const plan = repair(false);
    EXPECT_EQ(plan.packs_without_bundle, repo_.objects("packs/").size());
    EXPECT_FALSE(plan.hurt) << "what is hurt cannot be known yet";
    EXPECT_EQ(repo_.objects("bundles/"), Names{});
    EXPECT_TRUE(repair().is_whole());
    expect_whole();
}

TEST_P(Repair, IsNotNeededForWhatAnInterruptedRunLeft) {
    write_file(source_ / "more", random_bytes(80, 100'000));
    repo_.observe([](Verb verb, std::string const& name) {
        if (verb == Verb::put && name.starts_with("bundles/"))
            throw RepositoryError(RepositoryFailure::failed, "stopped");
    });
    EXPECT_EQ(failure_of([&] { repo_.save(source_.path()); }), RepositoryFailure::failed);
    repo_.observe_nothing();
    auto const plan = repair(false);
    EXPECT_GT(plan.packs_without_bundle, 0U);
    EXPECT_FALSE(plan.is_needed());
    EXPECT_TRUE(plan.is_whole());
}

TEST_P(Repair, SetsADamagedBundleAside) {
    std::string const bundle = repo_.objects("bundles/")[0];
    flip(bundle, 60);
    Bytes const damaged = repo_.store().objects().at(bundle);
    repo_.reopen_elsewhere();
    auto const report = repair();
    EXPECT_EQ(report.damaged_bundles.size(), 1U);
    EXPECT_TRUE(report.is_whole());
    EXPECT_FALSE(repo_.store().stat(bundle));
    EXPECT_EQ(repo_.store().objects().at(names::quarantined(bundle)), damaged);
    expect_whole();
}

// A block is about 1 MiB: with it some of the files are lost, and the others stay.
TEST_P(Repair, NamesExactlyTheFilesThatAreHurtAndSavesTheOthers) {
    std::string const pack = data_pack();
    flip(pack, 5'000);
    Bytes const damaged = repo_.store().objects().at(pack);
    auto const plan = repair(false);
    ASSERT_EQ(plan.damaged_packs.size(), 1U);
    EXPECT_TRUE(contains(plan.damaged_packs[0], pack));
    EXPECT_EQ(repo_.objects("quarantine/"), Names{});
    auto const report = repair();
    EXPECT_EQ(paths(report), paths(plan)) << "a dry run tells the same";
    EXPECT_FALSE(repo_.store().stat(pack));
    EXPECT_EQ(repo_.store().objects().at(names::quarantined(pack)), damaged);
    EXPECT_GT(report.chunks_saved, 0U);
    EXPECT_GT(report.chunks_lost, 0U);
    for (auto const& hurt : *report.hurt) {
        EXPECT_EQ(hurt.snapshots, (std::vector{*first_.id, *second_.id}));
    }
    EXPECT_EQ(paths(report), unreadable());
    EXPECT_LT(paths(report).size(), 15U);
    EXPECT_FALSE(repair().is_needed());
}

// A repair that was ended, and then killed, may have left it there, and what it had stored of it
// was collected.
TEST_P(Repair, LooksAgainAtWhatItsBundleNamesAndLiesInQuarantine) {
    std::string const pack = data_pack();
    flip(pack, 5'000);
    auto const expected = paths(repair(false));
    quarantine(repo_.store(), pack);
    auto const report = repair();
    EXPECT_EQ(report.missing_packs.size(), 0U);
    EXPECT_GT(report.chunks_saved, 0U);
    EXPECT_EQ(paths(report), expected);
    EXPECT_EQ(paths(report), unreadable());
    EXPECT_FALSE(repo_.store().stat(pack));
    EXPECT_FALSE(repair().is_needed());
}

TEST_P(Repair, DoesWithoutAPackThatIsMissing) {
    repo_.store().remove(data_pack());
    auto const report = repair();
    EXPECT_EQ(report.missing_packs.size(), 1U);
    EXPECT_EQ(paths(report), unreadable());
    EXPECT_FALSE(repair().is_needed());
}

TEST_P(Repair, TakesADamagedVersionOfAPackWithoutBundleForDamage) {
    std::string const pack = data_pack();
    Bytes bytes = repo_.store().objects().at(pack);
    bytes[6] = std::byte{3};
    repo_.store().remove(pack);
    repo_.put(pack, bytes);
    for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
    repo_.reopen();
    auto const report = repair();
    EXPECT_EQ(report.damaged_packs.size(), 1U);
    EXPECT_EQ(repo_.store().objects().at(names::quarantined(pack)), bytes);
    EXPECT_EQ(paths(report), unreadable());
    EXPECT_FALSE(repair().is_needed());
}

TEST_P(Repair, ReadsADamagedPackWithoutItsBundle) {
    flip(data_pack(), 5'000);
    for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
    repo_.reopen();
    auto const report = repair();
    EXPECT_GT(report.chunks_saved, 0U);
    EXPECT_EQ(paths(report), unreadable());
    EXPECT_LT(paths(report).size(), 15U);
}

// The files did not change, and cannot be taken over: their contents are lost.
TEST_P(Repair, TheNextSnapshotSavesAgainWhatWasLost) {
    flip(data_pack(), 5'000);
    EXPECT_FALSE(repair().is_whole());
    second_ = repo_.save(source_.path());
    EXPECT_TRUE(repair(false).is_whole());
    expect_whole();
}

// It counts on no pack that any command of this machine has met damaged.
TEST_P(Repair, TheNextSnapshotSavesAgainWhatWasFoundDamaged) {
    flip(data_pack(), 5'000);
    EXPECT_NE(repo_.errors(CheckDepth::read_data), std::vector<std::string>{});
    EXPECT_FALSE(unreadable().empty());
    repo_.save(source_.path());
    EXPECT_TRUE(unreadable().empty());
    EXPECT_TRUE(repair().is_whole());
    expect_whole();
}

// Put back from a copy, say: nobody calls it damaged once it was read whole.
TEST_P(Repair, WhatItReadsAndFindsSoundIsDamagedNoMore) {
    auto const pack = data_pack();
    flip(pack, 5'000);
    repo_.errors(CheckDepth::read_data);
    flip(pack, 5'000);
    EXPECT_EQ(repo_.errors().size(), 1U);
    EXPECT_FALSE(repair(false).is_needed());
    EXPECT_EQ(repo_.errors(), std::vector<std::string>{});
}

// Nor does a collection: of two copies it keeps the sound one.
TEST_P(Repair, ACollectionKeepsTheCopyThatIsNotDamaged) {
    auto const damaged = save_what_is_damaged_again();
    expect_collected(damaged);
}

// Where nobody has met the damaged one yet, it finds out.
TEST_P(Repair, ACollectionReadsTheCopyThatItKeeps) {
    auto const damaged = save_what_is_damaged_again();
    repo_.reopen_elsewhere();
    expect_collected(damaged);
}

// What it stored anew may be collected by then: what is damaged stays where it is.
TEST_P(Repair, SetsNothingAsideOnceItWasEnded) {
    auto const damaged = data_pack();
    flip(damaged, 5'000);
    repo_.observe([&, done = false](Verb verb, std::string const& name) mutable {
        if (done || verb != Verb::put || !name.starts_with("bundles/")) return;
        done = true;
        end_sessions();
    });
    EXPECT_EQ(failure_of([&] { repair(); }), RepositoryFailure::fenced);
    repo_.observe_nothing();
    EXPECT_TRUE(repo_.store().stat(damaged));
    EXPECT_EQ(repo_.objects("quarantine/"), std::vector<std::string>{});
}

// A log that is as long as it was: afterwards nobody misses its end.
TEST_P(Repair, PutsAnEndToTheLogThatThisMachineHasSeen) {
    for (int i = 0; i < 2; ++i) {
        repo_.append_log({LogKind::condemn, {random_id<PackId>()}, {}, {}});
        repo_.append_log({LogKind::sweep, {}, {}, {}});
    }
    repo_.save(source_.path());
    auto const records = repo_.objects("gclog/");
    for (auto it = records.begin() + 1; it != records.end(); ++it) repo_.store().remove(*it);
    EXPECT_TRUE(any_contains(repo_.errors(), records.back()));
    EXPECT_TRUE(any_contains(repair(false).damaged_log, records[1] + " to " + records.back()));
    EXPECT_TRUE(any_contains(repair().damaged_log, records.back() + ": is missing"));
    EXPECT_EQ(repo_.objects("gclog/").back(), records.back());
    EXPECT_EQ(read_gc_log(repo_.store(), repo_->keys()).since_checkpoint, 0U);
    EXPECT_FALSE(repair().is_needed());
    repo_.reopen();
    expect_whole();
}

// No other command reads what a checkpoint repeats.
TEST_P(Repair, RecordsBeforeACheckpointAreLookedAtWhenAllIsRead) {
    repo_.append_log({LogKind::condemn, {random_id<PackId>()}, {}, {}});
    repo_.append_log({LogKind::sweep, {}, {}, {}});
    repo_.append_log({LogKind::checkpoint, {}, {}, {}});
    auto const record = repo_.objects("gclog/").front();
    flip(record, 20);
    EXPECT_EQ(repo_.errors(), std::vector<std::string>{});
    auto const found = repo_.errors(CheckDepth::read_data);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(found[0].starts_with(record));
    EXPECT_TRUE(any_contains(repair().damaged_log, record));
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), std::vector<std::string>{});
    expect_whole();
}

// What a whole folder held may be in a copy that somebody has.
TEST_P(Repair, GivesUpMoreThanIsLeftOnlyWhenThatIsMeant) {
    repo_.save(source_.path());
    Progress progress;
    prune(*repo_, {}, progress);  // removes the records of sessions that have ended
    auto const whole = repo_.store().objects();
    repo_.store().remove(names::snapshot(*first_.id));
    repo_.store().remove(names::snapshot(*second_.id));
    auto const report = repair();
    EXPECT_EQ(report.lost_snapshots.size(), 2U);
    EXPECT_TRUE(report.needs_allow_many);
    EXPECT_FALSE(report.is_whole());
    EXPECT_EQ(repo_.objects("forgets/"), Names{});
    for (auto const& id : {*first_.id, *second_.id})
        repo_.put(names::snapshot(id), whole.at(names::snapshot(id)));
    EXPECT_FALSE(repair().is_needed());
    expect_whole();
    repo_.store().remove(names::snapshot(*first_.id));
    repo_.store().remove(names::snapshot(*second_.id));
    RepairRequest const meant{true, true, 2, true};
    EXPECT_TRUE(repair_repository(*repo_, meant, progress).is_whole());
    EXPECT_FALSE(repair().is_needed());
}

// Its writer would otherwise be waited for, or, once the record is away, not be known of.
TEST_P(Repair, EndsASessionWhoseRecordCannotBeRead) {
    std::string record;
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("bundles/") || !record.empty()) return;
        std::set<std::string> settled;
        for (auto const& slot : repo_.objects("snapshots/")) settled.insert(last_component(slot));
        for (auto const& session : repo_.objects("sessions/")) {
            auto const id = SessionId::parse(last_component(session));
            if (id && !settled.contains(id->hex())) record = session;
        }
        flip(record, 60);
        TempFolder const cache;
        auto const other = repo_.on_other_machine(cache);
        Progress progress;
        auto const report = repair_repository(*other, {true, true, 2}, progress);
        ASSERT_EQ(report.damaged_sessions.size(), 1U);
        EXPECT_TRUE(contains(report.damaged_sessions[0], record));
        EXPECT_FALSE(repo_.store().stat(record));
        EXPECT_TRUE(repo_.store().stat("snapshots/" + last_component(record))) << "not ended";
    });
    write_file(source_ / "more", random_bytes(7, 30'000));
    auto const third = repo_.save(source_.path());
    repo_.observe_nothing();
    ASSERT_FALSE(record.empty());
    EXPECT_NE(third.id->hex(), last_component(record)) << "a second attempt was due";
    EXPECT_FALSE(repair(false).is_needed());
    EXPECT_EQ(repo_.restored(third.snapshot, source_.path()), image_of(source_.path()));
    expect_whole();
}

// A pin cannot be taken from it, nor does the attempt leave anything behind.
TEST_P(Repair, LetsAPinnedSnapshotGoThatCannotBeRead) {
    Progress progress;
    TagChange pin;
    pin.pin = true;
    auto const first = repo_.find(first_.id->hex());
    auto const pinned =
        change_tags(*repo_, {{first.id, first.snapshot}}, pin, progress, {}).at(0).now;
    ForgetRequest request;
    request.names = {pinned.id.hex()};
    request.allow_many = true;
    EXPECT_EQ(failure_of([&] { forget(*repo_, request, progress); }), RepositoryFailure::failed);
    auto const ids = repo_.ids();
    for (auto const& name : repo_.objects("packs/")) {
        if (!holds_data(name)) repo_.store().remove(name);
    }
    pin.pin = false;
    EXPECT_EQ(failure_of([&] { change_tags(*repo_, {pinned}, pin, progress, {}); }),
              RepositoryFailure::corrupt);
    EXPECT_EQ(repo_.ids(), ids);
    request.names = {pinned.id.hex().substr(0, 12)};
    EXPECT_EQ(failure_of([&] { forget(*repo_, request, progress); }), RepositoryFailure::failed);
    request.names = {pinned.id.hex()};
    forget(*repo_, request, progress);
    EXPECT_EQ(repo_.ids().size(), ids.size() - 1);
}

TEST_P(Repair, IsNotNeededForTheNextSnapshot) {
    for (auto const& name : repo_.objects("packs/")) {
        if (!holds_data(name)) flip(name, 200);
    }
    second_ = repo_.save(source_.path());
    EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
}

TEST_P(Repair, LetsASourceHealWhatItStillHas) {
    flip(data_pack(), 5'000);
    EXPECT_FALSE(repair().is_whole());
    SnapshotRequest again = saving({source_.path()});
    again.parent = ParentChoice::none;
    repo_.take(std::move(again));
    EXPECT_TRUE(repair(false).is_whole());
    expect_whole();
}

TEST_P(Repair, BringsBackASnapshotWhoseForgettingIsDamaged) {
    ForgetRequest request;
    request.names = {first_.id->hex()};
    request.allow_many = true;
    Progress progress;
    forget(*repo_, request, progress);
    flip(repo_.objects("forgets/")[0], 50);
    auto const report = repair();
    EXPECT_EQ(report.damaged_forgets.size(), 1U);
    EXPECT_EQ(repo_.ids().size(), 2U);
    expect_whole();
}

TEST_P(Repair, NamesASlotThatCannotBeRead) {
    std::string const slot = repo_.objects("snapshots/")[0];
    flip(slot, 50);
    auto const report = repair();
    ASSERT_EQ(report.beyond_repair.size(), 1U);
    EXPECT_TRUE(contains(report.beyond_repair[0], slot));
    EXPECT_FALSE(report.is_whole());
}

TEST_P(Repair, CountsOnNothingThatIsCondemned) {
    LogRecord const condemn = condemn_the_sound_copies();
    auto const report = repair();
    EXPECT_GT(report.chunks_saved, 0U);
    EXPECT_EQ(report.chunks_lost, 0U);
    LogRecord sweep = condemn;
    sweep.kind = LogKind::sweep;
    repo_.append_log(sweep);
    for (auto const& pack : sweep.packs) repo_.store().remove(names::pack(pack));
    EXPECT_EQ(paths(repair()), std::set<std::string>{});
    EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
}

// Nobody has met the damage yet.
TEST_P(Repair, ASweepReadsTheCopyThatItKeeps) {
    condemn_the_sound_copies();
    Progress progress;
    prune(*repo_, {}, progress);
    EXPECT_EQ(repo_.restored(second_.snapshot, source_.path()), image_);
}

// What was sealed under a secret that is newer than the one in use is sound.
TEST(RepairBesideRekey, TakesNothingForDamaged) {
    TempFolder const source;
    write_file(source / "file", random_bytes(1, 100'000));
    TestRepo repo(Mode::encrypted);
    TempFolder const cache;
    auto const other = repo.on_other_machine(cache);
    rekey(*other, {repo.credentials(), KdfStrength::standard, ""});
    TempFolder const newer;
    auto const fresh = repo.on_other_machine(newer);
    Progress progress;
    auto request = saving({source.path()});
    take_snapshot(*fresh, request, progress);
    auto const before = repo.objects("packs/");
    for (bool const apply : {false, true}) {
        EXPECT_EQ(failure_of([&] {
                      repair_repository(*repo, {apply, true, 2}, progress);
                  }),
                  RepositoryFailure::wrong_key);
    }
    EXPECT_EQ(repo.objects("packs/"), before);
    EXPECT_EQ(repo.objects("quarantine/"), Names{});
}

// Whoever puts the right `keys/` back can read it again.
TEST(RepairUnderOldKeys, LeavesWhatOnlyALostSecretOpens) {
    TempFolder const source;
    write_file(source / "file", random_bytes(1, 100'000));
    TestRepo repo(Mode::encrypted);
    std::map<std::string, Bytes> old_keys;
    for (auto const& name : repo.objects("keys/"))
        old_keys[name] = get_whole(repo.store(), name, limits::mib);
    rekey(*repo, {repo.credentials(), KdfStrength::standard, ""});
    TempFolder const newer;
    auto const fresh = repo.on_other_machine(newer);
    Progress progress;
    auto request = saving({source.path()});
    auto const taken = take_snapshot(*fresh, request, progress);
    auto const packs = repo.objects("packs/");
    std::map<std::string, Bytes> new_keys;
    for (auto const& name : repo.objects("keys/")) {
        new_keys[name] = get_whole(repo.store(), name, limits::mib);
        repo.store().remove(name);
    }
    for (auto const& [name, slot] : old_keys) repo.put(name, slot);

    TempFolder const cache;
    auto const stale = repo.on_other_machine(cache);
    auto const report = repair_repository(*stale, {true, true, 2}, progress);
    EXPECT_EQ(repo.objects("packs/"), packs);
    EXPECT_EQ(repo.objects("quarantine/"), Names{});
    EXPECT_TRUE(any_contains(report.beyond_repair, "master secret of epoch 2"));
    ASSERT_TRUE(report.hurt);
    EXPECT_FALSE(report.hurt->empty());

    for (auto const& [name, slot] : old_keys) repo.store().remove(name);
    for (auto const& [name, slot] : new_keys) repo.put(name, slot);
    TempFolder const again;
    auto const right = repo.on_other_machine(again);
    EXPECT_EQ(check_repository(*right, CheckDepth::read_data, 2, progress).errors,
              std::vector<std::string>{});
}

TEST_P(Repair, LooksAgainAtWhatIsKnownToBeDamaged) {
    Progress progress;
    auto const pack = data_pack();
    flip(pack, 5'000);
    RepairRequest const quick{false, false, 2};
    EXPECT_EQ(repair_repository(*repo_, quick, progress).damaged_packs, Names{});
    repo_.errors(CheckDepth::read_data);
    auto const found = repair_repository(*repo_, quick, progress).damaged_packs;
    ASSERT_EQ(found.size(), 1U);
    EXPECT_TRUE(contains(found[0], pack));
}

TEST_P(Repair, SetsAsideWhatHasNoObjectsName) {
    Names const strays{"packs/00/junk", "sessions/0000000000000009", "snapshots/notes.txt"};
    for (auto const& name : strays) repo_.put(name, as_bytes("junk"));
    auto const found = repo_.errors();
    for (auto const& name : strays) EXPECT_TRUE(any_contains(found, name)) << name;
    EXPECT_EQ(repair(false).strays.size(), 3U);
    EXPECT_EQ(repair().strays.size(), 3U);
    EXPECT_EQ(repo_.errors(), std::vector<std::string>{});
    EXPECT_EQ(repo_.objects("quarantine/").size(), 3U);
    EXPECT_FALSE(repair().is_needed());
    expect_whole();
}

// What somebody saves while it looks is neither without a bundle nor missing.
TEST_P(Repair, HasNothingToMendOfWhatIsSavedMeanwhile) {
    for (std::string const folder : {"bundles/", "packs/"}) {
        write_file(source_ / "new", random_bytes(70, 50'000) + folder);
        int saved = 0;
        repo_.observe([&](Verb verb, std::string const& name) {
            if (saved > 0 || verb != Verb::list || name != folder) return;
            ++saved;
            TempFolder const cache;
            auto const elsewhere = repo_.on_other_machine(cache);
            Progress progress;
            auto request = saving({source_.path()});
            take_snapshot(*elsewhere, request, progress);
        });
        auto const report = repair(false);
        EXPECT_FALSE(report.is_needed()) << folder;
        EXPECT_EQ(report.packs_without_bundle, 0U) << folder;
        repo_.observe_nothing();
        EXPECT_EQ(saved, 1);
    }
}

TEST_P(Repair, LetsACollectionWait) {
    flip(data_pack(), 5'000);
    repo_.observe([&, done = false](Verb verb, std::string const& name) mutable {
        if (done || verb != Verb::put || !name.starts_with("quarantine/")) return;
        done = true;
        TempFolder const cache;
        auto const elsewhere = repo_.on_other_machine(cache);
        auto const gone = SessionId::parse(last_component(repo_.objects("snapshots/")[0]));
        ForgetRequest request;
        request.names = {gone->hex()};
        request.allow_many = true;
        Progress progress;
        forget(*elsewhere, request, progress);
        PruneRequest tidy;
        tidy.max_unused = 1;
        auto const report = prune(*elsewhere, tidy, progress);
        EXPECT_EQ(report.waiting_for.size(), 1U);
        EXPECT_EQ(report.removed.packs, 0U);
    });
    auto const report = repair();
    EXPECT_EQ(paths(report), unreadable());
}

// A collection that ended it may have removed what it has just looked at.
TEST_P(Repair, SaysThatItWasEndedFromElsewhere) {
    for (auto const& name : repo_.objects("bundles/")) repo_.store().remove(name);
    repo_.reopen();
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::list || name != "keys/") return;
        end_sessions();
        for (auto const& pack : repo_.objects("packs/")) repo_.store().remove(pack);
    });
    EXPECT_EQ(failure_of([&] { repair(); }), RepositoryFailure::fenced);
}

TEST_P(Repair, FetchesADamagedBlockForAllOfItsChunksOnce) {
    std::string const pack = data_pack();
    flip(pack, 5'000);
    auto const number = repo_->index_view().number(*PackId::parse(last_component(pack)));
    PackDirectory const directory = repo_->index_view().directory(*number);
    ASSERT_GT(directory.blocks[0].chunks.size(), 4U);
    std::size_t fetched = 0;
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb == Verb::get && name == pack) ++fetched;
    });
    EXPECT_GT(repair().chunks_lost, 0U);
    repo_.observe_nothing();
    // Some look for damage, and one saves what is sound.
    EXPECT_LE(fetched, 4 + directory.blocks.size());
}

// Wherever it ends, nothing is lost that was not lost before, and the next run goes on.
TEST_P(Repair, MayBeStoppedAnywhere) {
    flip(data_pack(), 5'000);
    flip(repo_.objects("bundles/")[0], 60);
    auto const damaged = repo_.store().objects();
    auto const expected = [&] {
        repo_.reset_to(damaged);
        return paths(repair());
    }();
    for (int calls = 1;; ++calls) {
        repo_.reset_to(damaged);
        repo_.observe([left = calls](Verb verb, std::string const&) mutable {
            bool const changes = verb == Verb::put || verb == Verb::remove;
            if (changes && --left <= 0)
                throw RepositoryError(RepositoryFailure::no_space, "stopped here");
        });
        bool const is_done = !failure_of([&] { repair(); });
        repo_.observe_nothing();
        EXPECT_EQ(paths(repair()), expected) << "stopped at call " << calls;
        EXPECT_EQ(unreadable(), expected) << "stopped at call " << calls;
        EXPECT_FALSE(repair(false).is_needed()) << "stopped at call " << calls;
        if (is_done) return;
    }
}

}  // namespace
}  // namespace coffre
