// Key slots: what opens a repository, and what no longer does.
#include <gtest/gtest.h>

#include <filesystem>

#include "engine/backend/decorators.h"
#include "engine/crypto/hash.h"
#include "engine/crypto/recovery_key.h"
#include "engine/keys.h"
#include "tests/unit/engine_test_repo.h"

namespace coffre::test {
namespace {

class Keys : public testing::Test {
protected:
    Keys() { first_ = init_repository(store_, {}, passphrase("the first"), options()); }
    static Credentials passphrase(std::string text) { return {std::move(text), {}}; }
    Credentials key_file() const { return {{}, folder_ / "key"}; }
    OpenOptions options() const { return OpenOptions{folder_ / "cache", false}; }
    std::shared_ptr<Repository> open(Credentials const& credentials) {
        return open_repository(store_, credentials, options());
    }
    bool opens(Credentials const& credentials) {
        try {
            open(credentials);
            return true;
        } catch (RepositoryError const& error) {
            EXPECT_EQ(error.kind(), RepositoryFailure::wrong_key) << error.what();
            return false;
        }
    }
    std::size_t slots() { return store_->list("keys/").size(); }

    TempFolder folder_;
    std::shared_ptr<Backend> store_ = std::make_shared<MemoryBackend>();
    std::shared_ptr<Repository> first_;
};

TEST_F(Keys, EachOpensTheRepository) {
    add_key(*first_, {passphrase("the second"), KdfStrength::standard, "spare"});
    add_key(*first_, {key_file(), KdfStrength::standard, ""});
    EXPECT_TRUE(opens(passphrase("the first")));
    EXPECT_TRUE(opens(passphrase("the second")));
    EXPECT_TRUE(opens(key_file()));
    EXPECT_FALSE(opens(passphrase("the third")));
}

// Whatever slot comes first: their names are random.
TEST_F(Keys, AKeyFileThatCannotBeReadHidesNoPassphrase) {
    for (int i = 0; i < 8; ++i) {
        add_key(*first_, {{{}, folder_ / std::to_string(i)}, KdfStrength::standard, ""});
    }
    for (auto const& path : {folder_ / "gone", folder_.path()}) {
        EXPECT_TRUE(opens({"the first", path}));
        EXPECT_FALSE(opens({"the third", path}));
    }
    EXPECT_FALSE(opens({{}, folder_ / "gone"}));
}

TEST_F(Keys, AreListedWithWhatTheyAreForWhoeverOpensOne) {
    add_key(*first_, {key_file(), KdfStrength::standard, "nightly"});
    auto const list = list_keys(*open(key_file()));
    ASSERT_EQ(list.slots.size(), 2U);
    EXPECT_EQ(list.slots[0].prefix.kind, SlotKind::passphrase);
    EXPECT_FALSE(list.slots[0].is_current);
    EXPECT_EQ(list.slots[1].prefix.kind, SlotKind::key_file);
    EXPECT_EQ(list.slots[1].info.label, "nightly");
    EXPECT_TRUE(list.slots[1].is_current);
}

TEST_F(Keys, ARemovedOneOpensNothing) {
    auto const id = add_key(*first_, {passphrase("the second"), KdfStrength::standard, ""});
    EXPECT_EQ(remove_key(*first_, id.substr(0, 8), KeyRemoval::careful), id);
    EXPECT_FALSE(opens(passphrase("the second")));
    EXPECT_TRUE(opens(passphrase("the first")));
}

// A second slot for it would outlive the removal of the first.
TEST_F(Keys, OneThatThereIsIsNotAddedTwice) {
    add_key(*first_, {key_file(), KdfStrength::standard, ""});
    add_key(*first_, {passphrase("the second"), KdfStrength::standard, ""});
    for (auto const& known : {passphrase("the first"), passphrase("the second"), key_file()}) {
        NewKey const key{known, KdfStrength::standard, ""};
        EXPECT_TRUE(contains(message_of([&] { add_key(*first_, key); }), "already"));
        EXPECT_TRUE(contains(message_of([&] { replace_key(*first_, key); }), "already"));
    }
    EXPECT_EQ(slots(), 3U);
    EXPECT_TRUE(opens(passphrase("the first")));
}

// All that counts is done by then, and the new key opens what it has to.
TEST_F(Keys, ARekeyThatCannotBeRememberedIsDone) {
    std::string const state = first_->folder() + "/state";
    std::filesystem::remove(state);
    std::filesystem::create_directory(state);
    EXPECT_THROW(first_->update_local_state([](LocalState&) {}), SourceError);
    rekey(*first_, {passphrase("the new"), KdfStrength::standard, ""});
    std::filesystem::remove(state);
    EXPECT_TRUE(opens(passphrase("the new")));
}

TEST_F(Keys, TheLastOneStays) {
    auto const id = list_keys(*first_).slots.at(0).id;
    EXPECT_THROW(remove_key(*first_, id, KeyRemoval::forced), RepositoryError);
    EXPECT_TRUE(opens(passphrase("the first")));
}

TEST_F(Keys, TheCurrentOneGoesOnlyWhenThatIsSaid) {
    auto const current = list_keys(*first_).slots.at(0).id;
    add_key(*first_, {key_file(), KdfStrength::standard, ""});
    EXPECT_THROW(remove_key(*first_, current, KeyRemoval::careful), RepositoryError);
    EXPECT_EQ(slots(), 2U);
    remove_key(*first_, current, KeyRemoval::forced);
    EXPECT_FALSE(opens(passphrase("the first")));
    EXPECT_TRUE(opens(key_file()));
}

// Without a key anybody can write such a slot.
TEST_F(Keys, ASlotThatOnlyClaimsMoreSecretsLocksNobodyOut) {
    SlotPrefix prefix;
    prefix.kind = SlotKind::key_file;
    prefix.epochs = 2;
    Writer out;
    out.raw(encode_slot_prefix(prefix));
    out.sized(Bytes(120));
    out.sized(Bytes(60));
    out.u64(xxh3(out.view()));
    store_->put(names::key_slot(random_id<SlotId>()), out.view());
    EXPECT_TRUE(opens(passphrase("the first")));
}

// Runs `meanwhile` once, just before a key slot is put or removed.
void before_key_change(TestRepo& repo, Verb verb, std::function<void()> meanwhile) {
    auto const is_done = std::make_shared<bool>(false);
    repo.observe([=, meanwhile = std::move(meanwhile)](Verb call, std::string const& name) {
        if (call == verb && name.starts_with("keys/") && !std::exchange(*is_done, true))
            meanwhile();
    });
}

TEST(KeysAtOnce, OfTwoNewSecretsOneIsDrawn) {
    TestRepo repo(Mode::encrypted);
    NewKey const key{repo.credentials(), KdfStrength::standard, ""};
    auto const other = open_repository(repo.observed(), repo.credentials(), repo.options());
    before_key_change(repo, Verb::put, [&] { rekey(*other, key); });
    EXPECT_EQ(failure_of([&] { rekey(*repo, key); }), RepositoryFailure::failed);
    repo.observe_nothing();
    EXPECT_EQ(repo.objects("keys/").size(), 1U);
    repo.reopen();
    EXPECT_EQ(repo->keys().newest_epoch(), 2U);
}

TEST(KeysAtOnce, TwoWhoRemoveEachOthersLeaveOne) {
    TestRepo repo(Mode::encrypted);
    TempFolder const folder;
    Credentials const second{{}, folder / "key"};
    auto const first_id = last_component(repo.objects("keys/").at(0));
    auto const second_id = add_key(*repo, {second, KdfStrength::standard, ""});
    auto const other = open_repository(repo.observed(), second, repo.options());
    before_key_change(repo, Verb::remove,
                      [&] { remove_key(*other, first_id, KeyRemoval::careful); });
    EXPECT_EQ(failure_of([&] { remove_key(*repo, second_id, KeyRemoval::careful); }),
              RepositoryFailure::failed);
    repo.observe_nothing();
    EXPECT_NO_THROW(open_repository(repo.observed(), second, repo.options()));
}

TEST_F(Keys, AnUnknownOrVagueIdRemovesNothing) {
    add_key(*first_, {key_file(), KdfStrength::standard, ""});
    EXPECT_THROW(remove_key(*first_, "zz", KeyRemoval::careful), RepositoryError);
    EXPECT_THROW(remove_key(*first_, "", KeyRemoval::careful), RepositoryError);
    EXPECT_EQ(slots(), 2U);
}

TEST_F(Keys, ADamagedOneGoesOnlyWhenThatIsSaid) {
    auto const current = list_keys(*first_).slots.at(0).id;
    auto const id = add_key(*first_, {key_file(), KdfStrength::standard, ""});
    Bytes bytes = get_whole(*store_, "keys/" + id, 1 << 16);
    store_->remove("keys/" + id);
    bytes.back() ^= std::byte{1};
    store_->put("keys/" + id, bytes);
    auto const refusal = [&](std::string const& wanted, KeyRemoval removal) {
        return message_of([&] { remove_key(*first_, wanted, removal); });
    };
    for (auto const& message :
         {refusal(id, KeyRemoval::careful), refusal(current, KeyRemoval::forced)}) {
        EXPECT_TRUE(contains(message, "keys/" + id + ": checksum differs")) << message;
    }
    EXPECT_EQ(slots(), 2U);
    EXPECT_EQ(remove_key(*first_, id.substr(0, 8), KeyRemoval::forced), id);
    EXPECT_TRUE(list_keys(*first_).damaged.empty());
    EXPECT_TRUE(opens(passphrase("the first")));
}

// It is a slot that cannot be read like any other.
TEST_F(Keys, OneOfALaterVersionStopsNobody) {
    std::string const id = "keys/" + std::string(32, 'a');
    Bytes later = get_whole(*store_, store_->list("keys/")[0].name, limits::mib);
    later[6] = std::byte{2};
    later.resize(later.size() - 8);
    Writer checksum;
    checksum.u64(xxh3(later));
    append(later, checksum.view());
    store_->put(id, later);
    EXPECT_EQ(list_keys(*first_).damaged.size(), 1U);
    add_key(*first_, {passphrase("the second"), KdfStrength::standard, ""});
    EXPECT_TRUE(opens(passphrase("the second")));
    remove_key(*first_, "aaaa", KeyRemoval::forced);
    EXPECT_EQ(slots(), 2U);
}

// Nobody is left with a key that he was told he has not.
TEST_F(Keys, OneThatCannotBeProvedIsTakenBack) {
    bool fails = false;
    auto const failing = std::make_shared<ObservedBackend>(*store_, [&](Verb verb, auto const&) {
        if (verb == Verb::get && std::exchange(fails, false))
            throw RepositoryError(RepositoryFailure::failed, "no answer");
    });
    auto const repository = open_repository(failing, passphrase("the first"), options());
    fails = true;
    EXPECT_EQ(failure_of([&] {
                  add_key(*repository, {passphrase("the second"), KdfStrength::standard, ""});
              }),
              RepositoryFailure::failed);
    EXPECT_EQ(slots(), 1U);
}

TEST_F(Keys, MoreThanAnybodyHasAreRefused) {
    for (int i = 0; i < 10'000; ++i) store_->put("keys/" + std::to_string(i), {});
    EXPECT_EQ(failure_of([&] { open(passphrase("the first")); }), RepositoryFailure::corrupt);
}

TEST_F(Keys, OneTakesThePlaceOfTheOneInUse) {
    add_key(*first_, {key_file(), KdfStrength::standard, ""});
    replace_key(*first_, {passphrase("another"), KdfStrength::standard, ""});
    EXPECT_EQ(slots(), 2U);
    EXPECT_FALSE(opens(passphrase("the first")));
    EXPECT_TRUE(opens(passphrase("another")));
    EXPECT_TRUE(opens(key_file()));
}

// As when its key derivation is made stronger while a job begins.
TEST_F(Keys, OneThatIsReplacedMeanwhileIsLookedForAnew) {
    int reads = 0;
    ObservedBackend beside(*store_, [&](Verb verb, std::string const& name) {
        if (verb != Verb::get || !name.starts_with("keys/") || ++reads != 2) return;
        replace_key(*first_, {passphrase("another"), KdfStrength::standard, ""});
        replace_key(*first_, {passphrase("the first"), KdfStrength::standard, ""});
    });
    std::shared_ptr<Backend> const seen(&beside, [](Backend*) {});
    EXPECT_NO_THROW(open_repository(seen, passphrase("the first"), options()));
    EXPECT_GT(reads, 2);
}

TEST_F(Keys, OneThatIsRemovedMeanwhileIsNotDamaged) {
    auto const id = add_key(*first_, {key_file(), KdfStrength::standard, ""});
    bool is_going = false;
    ObservedBackend beside(*store_, [&](Verb verb, std::string const& name) {
        if (verb == Verb::get && last_component(name) == id && is_going) store_->remove(name);
    });
    std::shared_ptr<Backend> const seen(&beside, [](Backend*) {});
    auto const opened = open_repository(seen, passphrase("the first"), options());
    is_going = true;
    auto const list = list_keys(*opened);
    EXPECT_EQ(list.slots.size(), 1U);
    EXPECT_TRUE(list.damaged.empty());
}

TEST_F(Keys, ARecoveryKeyIsKnownHoweverItIsTyped) {
    std::string const key = make_recovery_key();
    add_key(*first_, {passphrase(key), KdfStrength::standard, ""});
    std::string typed;
    for (char const c : key) {
        if (c != '-') typed += static_cast<char>(std::tolower(c));
        if (typed.size() % 5 == 0) typed += ' ';
    }
    EXPECT_TRUE(opens(passphrase(key)));
    EXPECT_TRUE(opens(passphrase(typed))) << typed;
}

TEST_F(Keys, AMistypedRecoveryKeyIsToldFromAWrongOne) {
    std::string key = make_recovery_key();
    key[0] = key[0] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(is_mistyped_recovery_key(key));
    EXPECT_FALSE(is_mistyped_recovery_key("correct horse battery staple"));
    EXPECT_EQ(as_recovery_key("correct horse"), "correct horse");
    try {
        open(passphrase(key));
        ADD_FAILURE() << "opened";
    } catch (RepositoryError const& error) {
        EXPECT_NE(std::string(error.what()).find("typing mistake"), std::string::npos);
    }
}

class Rekeyed : public Keys {
protected:
    Rekeyed() {
        add_key(*first_, {key_file(), KdfStrength::standard, "leaked"});
        for (auto const& slot : store_->list("keys/")) {
            old_slots_[slot.name] = get_whole(*store_, slot.name, slot.size);
        }
        rekey(*first_, {passphrase("the new"), KdfStrength::standard, ""});
    }
    // What a thief, or a storage that went back in time, would put there again.
    void put_old_slots() {
        for (auto const& [name, bytes] : old_slots_) store_->put(name, bytes);
    }
    std::map<std::string, Bytes> old_slots_;
};

TEST_F(Rekeyed, OpensWithTheNewKeyAlone) {
    EXPECT_EQ(slots(), 1U);
    EXPECT_TRUE(opens(passphrase("the new")));
    EXPECT_FALSE(opens(passphrase("the first")));
    EXPECT_FALSE(opens(key_file()));
}

TEST_F(Rekeyed, OldSlotsThatCameBackOpenNothing) {
    put_old_slots();
    EXPECT_FALSE(opens(key_file()));
    EXPECT_TRUE(opens(passphrase("the new")));
    auto const list = list_keys(*open(passphrase("the new")));
    EXPECT_EQ(std::count_if(list.slots.begin(), list.slots.end(),
                            [](auto const& slot) { return slot.is_outdated; }),
              2);
}

TEST_F(Rekeyed, GoneWithItsNewSlotIsARollback) {
    put_old_slots();
    for (auto const& slot : store_->list("keys/")) {
        if (!old_slots_.contains(slot.name)) store_->remove(slot.name);
    }
    try {
        open(key_file());
        ADD_FAILURE() << "opened";
    } catch (RepositoryError const& error) {
        EXPECT_EQ(error.kind(), RepositoryFailure::rolled_back);
    }
    OpenOptions how = options();
    how.report_rollback = true;
    Progress progress;
    auto const report = check_repository(*open_repository(store_, key_file(), how),
                                         CheckDepth::structure, 1, progress);
    EXPECT_TRUE(any_contains(report.errors, "master secret"));
    how.report_rollback = false;
    how.accept_rollback = true;
    open_repository(store_, key_file(), how);
    EXPECT_TRUE(opens(key_file()));
}

// What was stored under the new secret cannot be read any more: it is stored again.
TEST(RollbackOfSecrets, ThatIsAcceptedLosesNothingThatTheSourceHas) {
    TempFolder const source;
    write_file(source / "first", random_bytes(1, 100'000));
    TestRepo repo(Mode::encrypted);
    repo.save(source.path());
    std::string const slot = repo.objects("keys/").at(0);
    Bytes const old = repo.store().objects().at(slot);
    rekey(*repo, {repo.credentials(), KdfStrength::standard, ""});
    repo.reopen();
    write_file(source / "second", random_bytes(2, 100'000));
    repo.save(source.path());
    repo.store().remove(repo.objects("keys/").at(0));
    repo.put(slot, old);
    OpenOptions accept = repo.options();
    accept.accept_rollback = true;
    open_repository(repo.observed(), repo.credentials(), accept);
    repo.reopen();
    auto const taken = repo.save(source.path());
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
}

// One machine has accepted that, and draws another second secret: another machine, which knows the
// lost one, must not rely on what is sealed under it.
TEST(RollbackOfSecrets, IsNoticedAlsoWhenAsManyAreThereAgain) {
    TempFolder const source;
    TempFolder const elsewhere;
    write_file(source / "first", random_bytes(1, 100'000));
    TestRepo repo(Mode::encrypted);
    std::string const slot = repo.objects("keys/").at(0);
    Bytes const old = repo.store().objects().at(slot);
    rekey(*repo, {repo.credentials(), KdfStrength::standard, ""});
    OpenOptions other{elsewhere / "cache", false};
    auto const open_elsewhere = [&] {
        return open_repository(repo.observed(), repo.credentials(), other);
    };
    auto request = saving({source.path()});
    Progress progress;
    take_snapshot(*open_elsewhere(), request, progress);
    repo.store().remove(repo.objects("keys/").at(0));
    repo.put(slot, old);
    OpenOptions accept = repo.options();
    accept.accept_rollback = true;
    rekey(*open_repository(repo.observed(), repo.credentials(), accept),
          {repo.credentials(), KdfStrength::standard, ""});
    EXPECT_EQ(failure_of(open_elsewhere), RepositoryFailure::rolled_back);
    // One that has seen nothing can tell that it could not read what is there.
    TempFolder const third;
    auto const unaware = open_repository(repo.observed(), repo.credentials(), {third / "cache"});
    auto const by_it = take_snapshot(*unaware, request, progress);
    repo.reopen();
    EXPECT_EQ(repo.restored(by_it.snapshot, source.path()), image_of(source.path()));
    other.accept_rollback = true;
    auto const taken = take_snapshot(*open_elsewhere(), request, progress);
    repo.reopen();
    EXPECT_EQ(repo.restored(taken.snapshot, source.path()), image_of(source.path()));
}

TEST_F(Rekeyed, WrapsNewSessionKeysUnderTheNewMaster) {
    auto const repository = open(passphrase("the new"));
    auto const wrapped =
        repository->keys().wrap(repository->keys().make_session_key(PackKind::data));
    EXPECT_EQ(wrapped.epoch, 2U);
    EXPECT_NO_THROW(repository->keys().unwrap(wrapped));
    EXPECT_THROW(first_->keys().unwrap(wrapped), FormatError);
    auto const old = first_->keys().wrap(first_->keys().make_session_key(PackKind::data));
    EXPECT_NO_THROW(repository->keys().unwrap(old));
}

}  // namespace
}  // namespace coffre::test
