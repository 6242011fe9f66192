// The order of store operations, and what a writer may rely on: the rules that let collectors and
// writers work at the same time.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/crypto/key_ring.h"
#include "engine/prune.h"
#include "engine/status.h"
#include "engine/stream.h"
#include "engine/util/fd.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;

struct Call {
    Verb verb;
    std::string name;
};

// The calls of a snapshot, in order. Threads make some of them.
class Calls {
public:
    explicit Calls(TestRepo& repo) : repo_(repo) {
        repo.observe([this](Verb verb, std::string const& name) {
            std::lock_guard const lock(mutex_);
            calls_.push_back({verb, name});
        });
    }
    Calls(Calls const&) = delete;
    Calls& operator=(Calls const&) = delete;
    ~Calls() { repo_.observe_nothing(); }

    // Where the first and the last call of the verb on a name that starts so is; -1: nowhere.
    std::ptrdiff_t first(Verb verb, std::string const& prefix) const {
        auto const found = std::find_if(calls_.begin(), calls_.end(), fits(verb, prefix));
        return found == calls_.end() ? -1 : found - calls_.begin();
    }
    std::ptrdiff_t last(Verb verb, std::string const& prefix) const {
        auto const found = std::find_if(calls_.rbegin(), calls_.rend(), fits(verb, prefix));
        return calls_.rend() - found - 1;
    }
    bool has_barrier_between(std::ptrdiff_t from, std::ptrdiff_t to) const {
        return std::any_of(calls_.begin() + from, calls_.begin() + to, fits(Verb::barrier, ""));
    }

private:
    static std::function<bool(Call const&)> fits(Verb verb, std::string const& prefix) {
        return [=](Call const& call) { return call.verb == verb && call.name.starts_with(prefix); };
    }

    TestRepo& repo_;
    std::mutex mutex_;
    std::vector<Call> calls_;  // by mutex_
};

class Protocol : public testing::Test {
protected:
    void SetUp() override {
        write_file(source_ / "small", "small");
        write_file(source_ / "large", random_bytes(1, 1'500'000));
    }
    // The packs that hold data, or trees and recipes.
    std::vector<PackId> packs(PackKind kind) {
        std::vector<PackId> found;
        for (auto const& name : repo_.objects("packs/")) {
            auto const header = decode_pack_header(repo_.store().get(name, 0, pack_header_size));
            if (header.kind == kind) found.push_back(*PackId::parse(last_component(name)));
        }
        return found;
    }
    std::vector<PackId> all_packs() {
        auto all = packs(PackKind::data);
        for (auto const& id : packs(PackKind::meta)) all.push_back(id);
        return all;
    }
    // What a collector does that had marked these packs as dead.
    void condemn(std::vector<PackId> packs) { append(LogKind::condemn, std::move(packs)); }
    void sweep(std::vector<PackId> packs) {
        append(LogKind::sweep, packs);
        for (auto const& id : packs) repo_.store().remove(names::pack(id));
    }
    void append(LogKind kind, std::vector<PackId> packs) {
        std::sort(packs.begin(), packs.end());
        repo_.append_log({kind, std::move(packs), {}, {}});
    }
    // Ends a session as a collector does.
    void fence(SessionId const& id) {
        std::string const slot = names::snapshot(id);
        repo_.put(slot,
                  repo_->keys().seal_signed_object(ObjectKind::snapshot, slot, encode_slot({})));
    }
    // Runs `action` at the moment when a session becomes visible, with its id.
    template <class Action>
    void when_a_session_begins(Action const& action) {
        repo_.observe([this, action, done = false](Verb verb, std::string const&) mutable {
            auto const sessions = repo_.objects("sessions/");
            if (done || verb != Verb::list || sessions.empty()) return;
            done = true;
            action(*SessionId::parse(last_component(sessions[0])));
        });
    }

    TempFolder source_;
    TestRepo repo_{Mode::encrypted, {4096, 16384, 65536}};
};

TEST_F(Protocol, CommitsInOrder) {
    repo_.save(source_.path());
    write_file(source_ / "new", random_bytes(2, 100'000));
    Calls const calls(repo_);
    auto const taken = repo_.save(source_.path());
    auto const session = calls.first(Verb::put, "sessions/");
    auto const log = calls.first(Verb::list, "gclog/");
    auto const parent = calls.first(Verb::list, "snapshots/");
    auto const first_pack = calls.first(Verb::put, "packs/");
    auto const last_pack = calls.last(Verb::put, "packs/");
    auto const bundle = calls.first(Verb::put, "bundles/");
    auto const census = calls.last(Verb::stat, "packs/");
    auto const slot = calls.first(Verb::put, "snapshots/");
    auto const read_back = calls.last(Verb::get, names::snapshot(*taken.id));
    EXPECT_EQ(calls.first(Verb::remove, ""), -1);
    ASSERT_GE(session, 0);
    EXPECT_LT(session, log);
    EXPECT_TRUE(calls.has_barrier_between(session, log));
    EXPECT_LT(log, parent);
    EXPECT_LT(parent, first_pack);
    EXPECT_LT(last_pack, bundle);
    EXPECT_TRUE(calls.has_barrier_between(last_pack, bundle));
    EXPECT_EQ(bundle, calls.last(Verb::put, "bundles/"));
    EXPECT_TRUE(calls.has_barrier_between(bundle, slot));
    EXPECT_LT(bundle, census);
    EXPECT_LT(census, slot);
    EXPECT_LT(slot, read_back);
    EXPECT_TRUE(calls.has_barrier_between(slot, read_back));
    EXPECT_LT(read_back, calls.last(Verb::get, "packs/"));  // and the root tree with it
    auto const told = calls.first(Verb::put, names::published(*taken.id));
    EXPECT_LT(read_back, told);
    EXPECT_EQ(told, calls.last(Verb::put, ""));
}

TEST_F(Protocol, ASessionThatWasFencedPublishesNothing) {
    std::optional<SessionId> fenced;
    when_a_session_begins([&](SessionId const& id) {
        fenced = id;
        fence(id);
    });
    auto const taken = repo_.save(source_.path());
    repo_.observe_nothing();
    ASSERT_TRUE(fenced && taken.id);
    EXPECT_NE(taken.id, fenced);
    EXPECT_EQ(repo_.objects("snapshots/").size(), 2U);
    EXPECT_EQ(repo_.ids(), Names{taken.id->hex()});
    EXPECT_EQ(repo_.errors(CheckDepth::read_data), Names{});
    EXPECT_EQ(repo_.dumped(taken.snapshot, source_ / "small"), "small");
}

TEST_F(Protocol, ACommandIsStartedAgainForTheSecondAttempt) {
    when_a_session_begins([&](SessionId const& id) { fence(id); });
    SnapshotRequest request;
    request.paths = {source_.path()};
    request.streams.push_back(stream_from_command("out", {"sh", "-c", "echo whole"}));
    auto const taken = repo_.take(std::move(request));
    repo_.observe_nothing();
    ASSERT_TRUE(taken.id);
    EXPECT_EQ(repo_.dumped(taken.snapshot, "out"), "whole\n");
    EXPECT_EQ(repo_.dumped(taken.snapshot, source_ / "small"), "small");
}

TEST_F(Protocol, WhatComesOnceIsNotSavedByHalves) {
    when_a_session_begins([&](SessionId const& id) { fence(id); });
    write_file(source_ / "input", "once");
    Fd const input(::open((source_ / "input").c_str(), O_RDONLY));
    SnapshotRequest request;
    request.streams.push_back(stream_from_fd("in", input.get()));
    EXPECT_EQ(failure_of([&] { repo_.take(std::move(request)); }), RepositoryFailure::fenced);
    repo_.observe_nothing();
    EXPECT_EQ(repo_.ids(), Names{});
}

TEST_F(Protocol, TriesOnlyTwice) {
    std::set<std::string> fenced;
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::put || !name.starts_with("snapshots/")) return;
        if (fenced.insert(name).second) fence(*SessionId::parse(last_component(name)));
    });
    EXPECT_EQ(failure_of([&] { repo_.save(source_.path()); }), RepositoryFailure::fenced);
    repo_.observe_nothing();
    EXPECT_EQ(fenced.size(), 2U);
    EXPECT_EQ(repo_.ids(), Names{});
}

TEST_F(Protocol, ASessionThatACheckpointClosedHasFailed) {
    std::optional<SessionId> closed;
    when_a_session_begins([&](SessionId const& id) {
        closed = id;
        repo_.append_log({LogKind::checkpoint, {}, {}, {id}});
    });
    auto const taken = repo_.save(source_.path());
    repo_.observe_nothing();
    ASSERT_TRUE(closed && taken.id);
    EXPECT_NE(taken.id, closed);
    EXPECT_EQ(repo_.ids(), Names{taken.id->hex()});
}

TEST_F(Protocol, ASessionThatACheckpointClosesAtItsEndHasFailed) {
    std::optional<SessionId> closed;
    repo_.observe([&](Verb verb, std::string const& name) {
        if (closed || verb != Verb::put || !name.starts_with("snapshots/")) return;
        closed = SessionId::parse(last_component(name));
        repo_.append_log({LogKind::checkpoint, {}, {}, {*closed}});
    });
    auto const taken = repo_.save(source_.path());
    repo_.observe_nothing();
    ASSERT_TRUE(closed && taken.id);
    EXPECT_NE(taken.id, closed);
    EXPECT_EQ(repo_.ids(), Names{taken.id->hex()});
}

TEST_F(Protocol, ReusesNothingThatIsCondemned) {
    auto const first = repo_.save(source_.path());
    auto const old_packs = all_packs();
    condemn(old_packs);
    auto request = saving({source_.path()});
    request.parent = ParentChoice::none;
    auto const second = repo_.take(std::move(request));
    EXPECT_GE(second.snapshot.statistics.bytes_added, first.snapshot.statistics.bytes_added - 1000);
    sweep(old_packs);
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.restored(second.snapshot, source_.path()), image_of(source_.path()));
}

TEST_F(Protocol, ReusesNothingThatWasEverSwept) {
    repo_.save(source_.path());
    auto const old_packs = all_packs();
    condemn(old_packs);
    sweep(old_packs);
    condemn({});
    sweep({});
    auto request = saving({source_.path()});
    request.parent = ParentChoice::none;
    auto const second = repo_.take(std::move(request));
    EXPECT_EQ(repo_.restored(second.snapshot, source_.path()), image_of(source_.path()));
}

TEST_F(Protocol, ReusesWhatASweepPardoned) {
    repo_.save(source_.path());
    condemn(all_packs());
    sweep({});
    auto request = saving({source_.path()});
    request.parent = ParentChoice::none;
    EXPECT_LT(repo_.take(std::move(request)).snapshot.statistics.bytes_added, 10'000U);
}

// A file that did not change, and whose chunks or recipe have only condemned copies, is stored
// again.
class ProtocolInherits : public Protocol {
protected:
    void expect_independence_of(std::function<std::vector<PackId>()> const& choose) {
        auto const first = repo_.save(source_.path());
        repo_.settle(first);
        EXPECT_EQ(repo_.save(source_.path()).snapshot.statistics.bytes_read, 0U);
        auto const old_packs = choose();
        ASSERT_FALSE(old_packs.empty());
        condemn(old_packs);
        auto const second = repo_.save(source_.path());
        sweep(old_packs);
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.restored(second.snapshot, source_.path()), image_of(source_.path()));
    }
};

TEST_F(ProtocolInherits, NothingFromCondemnedDataPacks) {
    expect_independence_of([&] { return packs(PackKind::data); });
}

TEST_F(ProtocolInherits, NothingFromCondemnedMetaPacks) {
    expect_independence_of([&] { return packs(PackKind::meta); });
}

TEST_F(ProtocolInherits, NothingFromCondemnedPacks) {
    expect_independence_of([&] { return all_packs(); });
}

// Another process does `action` while a snapshot is being stored that reuses the first one's packs.
class ProtocolCensus : public Protocol {
protected:
    template <class Action>
    void expect_census_fails_when(Action const& action) {
        repo_.save(source_.path());
        std::string const pack = names::pack(packs(PackKind::data)[0]);
        write_file(source_ / "new", random_bytes(2, 100'000));
        repo_.observe([=, done = false](Verb verb, std::string const& name) mutable {
            if (done || verb != Verb::put || !name.starts_with("bundles/")) return;
            done = true;
            action(pack);
        });
        auto request = saving({source_.path()});
        request.parent = ParentChoice::none;
        std::string const message = message_of([&] { repo_.take(std::move(request)); });
        repo_.observe_nothing();
        EXPECT_TRUE(contains(message, pack)) << message;
        EXPECT_EQ(repo_.ids().size(), 1U);
    }
};

TEST_F(ProtocolCensus, MissesAPackThatIsGone) {
    expect_census_fails_when([&](std::string const& pack) { repo_.store().remove(pack); });
}

TEST_F(ProtocolCensus, MissesAPackOfAnotherSize) {
    expect_census_fails_when([&](std::string const& pack) {
        Bytes bytes = repo_.store().objects().at(pack);
        bytes.pop_back();
        repo_.store().remove(pack);
        repo_.put(pack, bytes);
    });
}

// A pack is lost, and the sources still hold what was in it.
class ProtocolLoses : public Protocol {
protected:
    void lose_and_save_again(std::vector<PackId> const& lost, ParentChoice parent) {
        for (auto const& id : lost) repo_.store().remove(names::pack(id));
        auto request = saving({source_.path()});
        request.parent = parent;
        auto const again = repo_.take(std::move(request));
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.restored(again.snapshot, source_.path()), image_of(source_.path()));
        EXPECT_TRUE(any_contains(repo_.errors(), names::pack(lost[0])));
    }
};

TEST_F(ProtocolLoses, DataThatIsStoredAgain) {
    repo_.save(source_.path());
    lose_and_save_again(packs(PackKind::data), ParentChoice::none);
}

TEST_F(ProtocolLoses, DataThatIsStoredAgainAlthoughTheFilesAreUnchanged) {
    repo_.settle(repo_.save(source_.path()));
    lose_and_save_again(packs(PackKind::data), ParentChoice::automatic);
}

TEST_F(ProtocolLoses, TreesThatAreStoredAgain) {
    repo_.settle(repo_.save(source_.path()));
    lose_and_save_again(packs(PackKind::meta), ParentChoice::automatic);
}

TEST_F(ProtocolLoses, AllThatIsStoredAgain) {
    repo_.settle(repo_.save(source_.path()));
    lose_and_save_again(all_packs(), ParentChoice::automatic);
}

class ProtocolDamages : public Protocol {
protected:
    void damage(PackId const& id) {
        std::string const pack = names::pack(id);
        Bytes bytes = repo_.store().objects().at(pack);
        bytes[pack_header_size + 20] ^= std::byte{1};
        repo_.store().remove(pack);
        repo_.put(pack, bytes);
    }
    SnapshotResult save_with_stream(std::string const& content) {
        auto request = saving({source_.path()});
        request.streams.push_back(stream("dump", content));
        return repo_.take(std::move(request));
    }
    void expect_whole(Snapshot const& snapshot, std::string const& streamed) {
        EXPECT_EQ(repo_.restored(snapshot, source_.path()), image_of(source_.path()));
        EXPECT_EQ(repo_.dumped(snapshot, "dump"), streamed);
    }
};

TEST_F(ProtocolDamages, TreesThatAreStoredAgainBesideStreams) {
    repo_.settle(save_with_stream(random_bytes(4, 100'000)));
    for (auto const& id : packs(PackKind::meta)) damage(id);
    auto const again = save_with_stream(random_bytes(5, 100'000));
    EXPECT_EQ(again.snapshot.parent, std::nullopt);
    expect_whole(again.snapshot, random_bytes(5, 100'000));
}

// While a collector is at work, what files consist of is looked up as well.
TEST_F(ProtocolDamages, RecipesThatAreStoredAgainBesideStreams) {
    repo_.settle(save_with_stream(random_bytes(4, 100'000)));
    condemn({});
    for (auto const& id : packs(PackKind::meta)) damage(id);
    auto const again = save_with_stream(random_bytes(5, 100'000));
    expect_whole(again.snapshot, random_bytes(5, 100'000));
}

// A bundle is damaged, and the index of this machine has not seen it.
class ProtocolBundle : public Protocol {
protected:
    void damage_bundles() {
        damaged_ = repo_.objects("bundles/");
        for (auto const& name : damaged_) {
            Bytes bytes = repo_.store().objects().at(name);
            bytes[bytes.size() / 2] ^= std::byte{1};
            repo_.store().remove(name);
            repo_.put(name, bytes);
        }
        repo_.reopen_elsewhere();
    }

    // These are lost after another snapshot was taken.
    void expect_made_up_for(Names const& lost) {
        write_file(source_ / "more", random_bytes(6, 100'000));
        repo_.settle(repo_.save(source_.path()));
        for (auto const& name : lost) repo_.store().remove(name);
        auto const again = repo_.save(source_.path());
        EXPECT_EQ(again.snapshot.parent, std::nullopt);
        repo_.settle(again);
        repo_.reopen_elsewhere();
        EXPECT_EQ(repo_.restored(again.snapshot, source_.path()), image_of(source_.path()));
        EXPECT_EQ(repo_.save(source_.path()).snapshot.parent, again.id);
    }

    TempFolder other_;
    Names damaged_;
};

TEST_F(ProtocolBundle, ThatIsDamagedStopsOnlyWhatNeedsIt) {
    auto const lost = repo_.save(source_.path());
    damage_bundles();
    write_file(other_ / "file", random_bytes(3, 100'000));
    auto const whole = repo_.save(other_.path());
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.restored(whole.snapshot, other_.path()), image_of(other_.path()));
    EXPECT_TRUE(any_contains(repo_.warnings(), damaged_[0])) << damaged_[0];
    EXPECT_TRUE(contains(message_of([&] { repo_.tar_of(lost.snapshot); }), "missing"));
    EXPECT_TRUE(any_contains(repo_.errors(), damaged_[0]));
}

TEST_F(ProtocolBundle, ThatIsDamagedIsMadeUpForByTheNextSnapshot) {
    repo_.settle(repo_.save(source_.path()));
    damage_bundles();
    auto const again = repo_.save(source_.path());
    EXPECT_EQ(again.snapshot.parent, std::nullopt);
    repo_.settle(again);
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.restored(again.snapshot, source_.path()), image_of(source_.path()));
    auto const third = repo_.save(source_.path());
    EXPECT_EQ(third.snapshot.parent, again.id);
    EXPECT_TRUE(third.unchanged);
}

// The packs that no bundle lists any more are of a session that ended.
TEST_F(ProtocolBundle, ThatIsGoneIsMadeUpForByTheNextSnapshot) {
    repo_.settle(repo_.save(source_.path()));
    expect_made_up_for(repo_.objects("bundles/"));
}

// An index that is built anew knows nothing of them.
TEST_F(ProtocolBundle, ThatIsGoneWithItsPacksIsMadeUpForByTheNextSnapshot) {
    repo_.settle(repo_.save(source_.path()));
    Names lost = repo_.objects("bundles/");
    for (auto const& pack : repo_.objects("packs/")) lost.push_back(pack);
    expect_made_up_for(lost);
}

// Of a pack that is lost alone the bundle tells, on any machine.
TEST_F(ProtocolBundle, ThatIsThereLeavesAParentWhateverPackIsLost) {
    repo_.settle(repo_.save(source_.path()));
    write_file(source_ / "more", random_bytes(6, 100'000));
    auto const second = repo_.save(source_.path());
    repo_.settle(second);
    auto const view = repo_->index_view();
    for (auto const& name : repo_.objects("packs/")) {
        auto const number = view.number(*PackId::parse(last_component(name)));
        if (view.directory(*number).kind == PackKind::meta) continue;
        repo_.store().remove(name);
        break;
    }
    repo_.reopen_elsewhere();
    auto const again = repo_.save(source_.path());
    EXPECT_EQ(again.snapshot.parent, second.id);
    EXPECT_GT(again.snapshot.statistics.files_unmodified, 0U);
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.restored(again.snapshot, source_.path()), image_of(source_.path()));
}

TEST_F(ProtocolBundle, WithANameOfNoBundleIsLeftOut) {
    repo_.save(source_.path());
    repo_.put("bundles/stray", as_bytes("stray"));
    repo_.save(source_.path());
    EXPECT_TRUE(any_contains(repo_.warnings(), "bundles/stray"));
    EXPECT_TRUE(any_contains(repo_.errors(), "bundles/stray"));
}

TEST_F(Protocol, ForgottenSnapshotsAreNeitherListedNorParents) {
    auto const first = repo_.save(source_.path());
    auto const second = repo_.save(source_.path());
    std::string const forget = names::forget(*second.id);
    repo_.put(forget,
              repo_->keys().seal_signed_object(ObjectKind::forget, forget, encode_forget({1, ""})));
    EXPECT_EQ(repo_.ids(), Names{first.id->hex()});
    EXPECT_EQ(repo_.find("latest").id, first.id);
    EXPECT_NE(failure_of([&] { repo_.find(second.id->hex()); }), std::nullopt);
    EXPECT_EQ(repo_.save(source_.path()).snapshot.parent, first.id);
    EXPECT_EQ(repo_.errors(), Names{});
}

TEST_F(Protocol, AKilledSlotThatIsNotSignedIsDamage) {
    std::string const slot = names::snapshot(SessionId{});
    repo_.put(slot, repo_->keys().seal_object(ObjectKind::snapshot, slot, encode_slot({})));
    auto const list = list_snapshots(*repo_);
    EXPECT_EQ(list.snapshots.size(), 0U);
    EXPECT_EQ(list.damaged.size(), 1U);
}

TEST_F(Protocol, ClosedSlotsAreVoidWhateverTheyHold) {
    auto const first = repo_.save(source_.path());
    auto const second = repo_.save(source_.path());
    repo_.append_log({LogKind::checkpoint, {}, {}, {*second.id}});
    EXPECT_EQ(repo_.ids(), Names{first.id->hex()});
}

TEST_F(Protocol, ALogWithAGapIsAnError) {
    condemn({});
    sweep({});
    repo_.store().remove(names::log_record(0));
    EXPECT_EQ(failure_of([&] { repo_.save(source_.path()); }), RepositoryFailure::corrupt);
}

TEST_F(Protocol, ARepositoryThatWentBackInTimeIsRefused) {
    repo_.save(source_.path());
    auto const before = repo_.store().objects();
    auto const second = repo_.save(source_.path());
    repo_.store().replace_all(before);
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
    EXPECT_TRUE(contains(message_of([&] { repo_.reopen(); }), second.id->hex()));
    OpenOptions report = repo_.options();
    report.report_rollback = true;
    auto const opened = open_repository(repo_.observed(), repo_.credentials(), report);
    EXPECT_EQ(list_snapshots(*opened).snapshots.size(), 1U);
    Progress progress;
    EXPECT_TRUE(any_contains(check_repository(*opened, CheckDepth::structure, 1, progress).errors,
                             second.id->hex()));
}

// Not even by those who go on and tell of it.
TEST_F(Protocol, WhatAnotherMachineHasSeenOfAWriterIsMissedUntilThatIsAccepted) {
    repo_.save(source_.path());
    auto const second = repo_.save(source_.path());
    TempFolder const cache;
    OpenOptions options{cache.path(), false, {}};
    auto const open = [&] {
        return open_repository(repo_.observed(), repo_.credentials(), options);
    };
    EXPECT_EQ(list_snapshots(*open()).snapshots.size(), 2U);
    repo_.store().remove(names::snapshot(*second.id));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(failure_of(open), RepositoryFailure::rolled_back);
        options.report_rollback = true;
        Progress progress;
        auto const report = check_repository(*open(), CheckDepth::structure, 1, progress);
        EXPECT_TRUE(any_contains(report.errors, second.id->hex()));
        options.report_rollback = false;
    }
    options.accept_rollback = true;
    EXPECT_EQ(list_snapshots(*open()).snapshots.size(), 1U);
    options.accept_rollback = false;
    EXPECT_EQ(failure_of(open), std::nullopt);
}

TEST_F(Protocol, WhatAnotherMachineHasSeenIsMissedAlsoAfterItWasListedAndCouldNotBeRead) {
    repo_.save(source_.path());
    auto const second = repo_.save(source_.path());
    repo_.reopen_elsewhere();
    EXPECT_EQ(repo_.ids().size(), 2U);
    std::string const slot = names::snapshot(*second.id);
    repo_.store().remove(slot);
    repo_.put(slot, as_bytes("damaged"));
    repo_.reopen();
    EXPECT_EQ(list_snapshots(*repo_).damaged.size(), 1U);
    repo_.store().remove(slot);
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
}

TEST_F(Protocol, WhatIsNoRecordOfTheLogStopsNobody) {
    repo_.put("gclog/desktop.ini", as_bytes("x"));
    repo_.put("gclog/old/0000000000000000", as_bytes("x"));
    repo_.save(source_.path());
    Progress progress;
    prune(*repo_, {}, progress);
    EXPECT_EQ(repo_.save(source_.path()).unchanged, true);
    EXPECT_TRUE(any_contains(repo_.errors(), "gclog/desktop.ini"));
}

TEST_F(Protocol, WhatIsAcceptedToBeLostIsNotMissedAgain) {
    repo_.save(source_.path());
    auto const before = repo_.store().objects();
    repo_.save(source_.path());
    repo_.store().replace_all(before);
    OpenOptions accept = repo_.options();
    accept.accept_rollback = true;
    open_repository(repo_.observed(), repo_.credentials(), accept);
    repo_.reopen();
    repo_.save(source_.path());
    repo_.reopen();
    EXPECT_EQ(repo_.ids().size(), 2U);
    EXPECT_EQ(repo_.errors(), Names{});
    auto const now = repo_.store().objects();
    repo_.save(source_.path());
    repo_.store().replace_all(now);
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
}

TEST_F(Protocol, ASessionThatFailsLeavesNobodyWaiting) {
    repo_.observe([](Verb verb, std::string const& name) {
        if (verb == Verb::put && name.starts_with("packs/")) {
            throw RepositoryError(RepositoryFailure::no_space, name + ": no room");
        }
    });
    EXPECT_EQ(failure_of([&] { repo_.save(source_.path()); }), RepositoryFailure::no_space);
    repo_.observe_nothing();
    EXPECT_EQ(gather_status(*repo_, {}).open_sessions.size(), 0U);
    EXPECT_EQ(repo_.ids(), Names{});
    repo_.save(source_.path());
    EXPECT_EQ(repo_.errors(), Names{});
}

TEST_F(Protocol, ALogThatWentBackInTimeIsRefused) {
    condemn({});
    repo_.save(source_.path());
    repo_.store().remove(names::log_record(0));
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
}

TEST_F(Protocol, ASnapshotTakenFromTheMiddleIsMissed) {
    repo_.save(source_.path());
    auto const second = repo_.save(source_.path());
    repo_.save(source_.path());
    repo_.store().remove(names::snapshot(*second.id));
    repo_.reopen_elsewhere();
    EXPECT_TRUE(any_contains(repo_.errors(), second.id->hex()));
}

// A config of mode none for the same repository, as whoever writes to the store can make one.
Bytes downgraded_config(TestRepo& repo) {
    ConfigPrefix prefix;
    prefix.repository = repo->id();
    prefix.mode = Mode::none;
    prefix.public_master[0] = std::byte{1};
    KeyRing const keys(Mode::none, prefix.repository, {{1, prefix.public_master}});
    ConfigSecrets secrets;
    secrets.box_public_key = keys.boxing_public_key();
    secrets.sign_public_key = keys.signing_public_key();
    Bytes object = encode_config_prefix(prefix);
    append(object, keys.seal_config(object, encode_config_secrets(secrets)));
    Writer checksum;
    checksum.u64(xxh3(object));
    append(object, checksum.view());
    return object;
}

TEST_F(Protocol, ARepositoryThatWasEncryptedIsRefusedWithoutEncryption) {
    Bytes const config = downgraded_config(repo_);
    auto objects = repo_.store().objects();
    objects[names::config] = config;
    repo_.store().replace_all(objects);
    // With a key in hand, everywhere; without one, on the machine that has seen it.
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::unusable);
    EXPECT_EQ(failure_of([&] { open_repository(repo_.observed(), {}, repo_.options()); }),
              RepositoryFailure::unusable);
    TempFolder const elsewhere;
    EXPECT_EQ(failure_of([&] {
                  open_repository(repo_.observed(), {}, {elsewhere.path(), false});
              }),
              std::nullopt);
}

TEST_F(Protocol, AnotherKeyOpensNothing) {
    TempFolder const folder;
    write_file(folder / "key", random_bytes(1, 32));
    write_file(folder / "short", "x");
    for (auto const* name : {"key", "short", "absent"}) {
        Credentials credentials;
        credentials.key_file = folder / name;
        EXPECT_EQ(failure_of([&] {
                      open_repository(repo_.observed(), credentials, {folder / "cache", false});
                  }),
                  RepositoryFailure::wrong_key)
            << name;
    }
}

TEST_F(Protocol, ThereIsNoSecondRepositoryInAStore) {
    auto const before = repo_.store().objects();
    EXPECT_EQ(failure_of([&] {
                  init_repository(repo_.observed(), {}, repo_.credentials(), repo_.options());
              }),
              RepositoryFailure::failed);
    EXPECT_EQ(repo_.store().objects(), before);
}

}  // namespace
}  // namespace coffre
