// What every store must do, on each of them; and the stores around a store.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "engine/backend/local.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;

class Store : public testing::TestWithParam<std::string> {
protected:
    void SetUp() override {
        if (GetParam() == "Local") {
            create_local_store(folder_ / "store");
            store_ = open_local_store(folder_ / "store");
        } else {
            store_ = std::make_unique<MemoryBackend>();
        }
    }
    Backend& store() { return *store_; }
    PutResult put(std::string const& name, std::string_view text) {
        return store_->put(name, as_bytes(text));
    }
    std::string get(std::string const& name) {
        return to_text(get_whole(*store_, name, 1U << 20U));
    }
    Names list(std::string const& prefix) {
        Names names;
        for (auto const& object : store_->list(prefix)) names.push_back(object.name);
        return names;
    }

private:
    TempFolder folder_;
    std::unique_ptr<Backend> store_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, Store, testing::Values("Memory", "Local"),
                         [](auto const& kind) { return kind.param; });

TEST_P(Store, GivesBackWhatWasPut) {
    EXPECT_EQ(put("config", "content"), PutResult::stored);
    EXPECT_EQ(get("config"), "content");
    EXPECT_EQ(to_text(store().get("config", 3, 4)), "tent");
    EXPECT_EQ(store().get("config", 7, 0).size(), 0U);
    std::string const large = random_bytes(1, 1U << 20U);
    put("packs/0a/large", large);
    EXPECT_EQ(get("packs/0a/large"), large);
}

// Large ones are written in aligned pieces.
TEST_P(Store, GivesBackObjectsOfAnySize) {
    constexpr std::size_t mib = 1U << 20U;
    std::string const bytes = random_bytes(2, 8 * mib + 1);
    int number = 0;
    for (std::size_t const around : {mib, 4 * mib, 4 * mib + 4096, 8 * mib}) {
        for (std::size_t const size : {around - 1, around, around + 1}) {
            std::string const name = "packs/0a/" + std::to_string(number++);
            put(name, std::string_view(bytes).substr(0, size));
            EXPECT_EQ(store().stat(name)->size, size);
            EXPECT_TRUE(to_text(store().get(name, 0, size)) == bytes.substr(0, size)) << size;
        }
    }
}

TEST_P(Store, HoldsEmptyObjects) {
    put("bundles/empty", "");
    EXPECT_EQ(get("bundles/empty"), "");
    EXPECT_EQ(store().stat("bundles/empty")->size, 0U);
}

TEST_P(Store, NeverOverwrites) {
    put("keys/a", "first");
    EXPECT_EQ(put("keys/a", "second, longer"), PutResult::exists);
    EXPECT_EQ(get("keys/a"), "first");
    store().barrier();
    EXPECT_EQ(put("keys/a", ""), PutResult::exists);
    EXPECT_EQ(get("keys/a"), "first");
}

TEST_P(Store, RefusesToReadBeyondTheEnd) {
    put("keys/short", "12345");
    for (auto const& [offset, size] : {std::pair{0U, 6U}, {5U, 1U}, {6U, 1U}, {100U, 5U}}) {
        auto const read = [&, offset = offset, size = size] {
            store().get("keys/short", offset, size);
        };
        EXPECT_EQ(failure_of(read), RepositoryFailure::corrupt) << offset << "+" << size;
        EXPECT_TRUE(contains(message_of(read), "keys/short"));
    }
}

TEST_P(Store, NamesWhatIsMissing) {
    auto const read = [&] { store().get("keys/absent", 0, 1); };
    EXPECT_EQ(failure_of(read), RepositoryFailure::corrupt);
    EXPECT_TRUE(contains(message_of(read), "keys/absent"));
    auto const read_whole = [&] { get_whole(store(), "keys/absent", 10); };
    EXPECT_EQ(failure_of(read_whole), RepositoryFailure::corrupt);
    EXPECT_TRUE(contains(message_of(read_whole), "keys/absent"));
    EXPECT_EQ(store().stat("keys/absent"), std::nullopt);
}

TEST_P(Store, RefusesAWholeObjectAboveTheLimit) {
    put("keys/a", "12345");
    EXPECT_EQ(get_whole(store(), "keys/a", 5).size(), 5U);
    EXPECT_EQ(failure_of([&] { get_whole(store(), "keys/a", 4); }), RepositoryFailure::corrupt);
}

TEST_P(Store, ListsAllInOrderWithFoldersWithin) {
    EXPECT_EQ(list("packs/"), Names{});
    for (auto const* name : {"packs/ff/b", "packs/0a/c", "config", "packs/ff/a", "bundles/x",
                             "sessions/1.2", "sessions/1", "packs/0a/b"}) {
        put(name, name);
    }
    EXPECT_EQ(list("packs/"), (Names{"packs/0a/b", "packs/0a/c", "packs/ff/a", "packs/ff/b"}));
    EXPECT_EQ(list("sessions/"), (Names{"sessions/1", "sessions/1.2"}));
    EXPECT_EQ(list("gclog/"), Names{});
    EXPECT_EQ(list(""), (Names{"bundles/x", "config", "packs/0a/b", "packs/0a/c", "packs/ff/a",
                               "packs/ff/b", "sessions/1", "sessions/1.2"}));
    EXPECT_EQ(store().list("bundles/")[0].size, 9U);
}

TEST_P(Store, ListsManyObjects) {
    Names names;
    for (int i = 1000; i < 1300; ++i) names.push_back("sessions/" + std::to_string(i));
    for (auto it = names.rbegin(); it != names.rend(); ++it) put(*it, "");
    EXPECT_EQ(list("sessions/"), names);
}

TEST_P(Store, Removes) {
    put("keys/a", "a");
    put("keys/b", "b");
    store().remove("keys/a");
    EXPECT_NO_THROW(store().remove("keys/a"));
    EXPECT_NO_THROW(store().barrier());
    EXPECT_EQ(store().stat("keys/a"), std::nullopt);
    EXPECT_EQ(list("keys/"), Names{"keys/b"});
    EXPECT_EQ(put("keys/a", "again"), PutResult::stored);
    EXPECT_EQ(get("keys/a"), "again");
}

TEST_P(Store, StatsAsItLists) {
    put("keys/a", "12345");
    auto const info = store().stat("keys/a");
    ASSERT_TRUE(info);
    EXPECT_EQ(info->name, "keys/a");
    EXPECT_EQ(info->size, 5U);
    EXPECT_EQ(store().list("keys/"), std::vector<ObjectInfo>{*info});
}

TEST_P(Store, PassesBarriers) {
    EXPECT_NO_THROW(store().barrier());
    put("packs/00/a", "a");
    EXPECT_NO_THROW(store().barrier());
    EXPECT_EQ(get("packs/00/a"), "a");
}

TEST(LocalStore, IsMadeInAnEmptyFolderOnly) {
    TempFolder const folder;
    write_file(folder / "file", "x");
    EXPECT_EQ(failure_of([&] { create_local_store(folder.path()); }), RepositoryFailure::failed);
    EXPECT_EQ(image_of(folder.path()).size(), 1U);
    std::filesystem::remove(folder / "file");
    EXPECT_NO_THROW(create_local_store(folder.path()));
    EXPECT_NO_THROW(create_local_store(folder.path()));  // an interrupted one goes on
    write_file(folder / "config", "x");
    EXPECT_EQ(failure_of([&] { create_local_store(folder.path()); }), RepositoryFailure::failed);
}

TEST(LocalStore, IsNotFoundWhereNoneIs) {
    TempFolder const folder;
    write_file(folder / "file", "x");
    for (auto const* name : {"absent", "file"}) {
        EXPECT_EQ(failure_of([&] { open_local_store(folder / name); }),
                  RepositoryFailure::not_found);
    }
    EXPECT_EQ(failure_of([&] {
                  open_repository(folder.path(), {}, {folder / "cache", false});
              }),
              RepositoryFailure::not_found);
}

TEST(LocalStore, LeavesNothingButObjectsAndClosesThemToOthers) {
    TempFolder const folder;
    create_local_store(folder / "store");
    auto const store = open_local_store(folder / "store");
    store->put("keys/a", as_bytes("x"));
    store->put("keys/a", as_bytes("y"));
    EXPECT_EQ(image_of(folder / "store/keys").size(), 1U);
    struct stat status {};
    ASSERT_EQ(::stat((folder / "store/keys/a").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0077U, 0U);
    ASSERT_EQ(::stat((folder / "store/keys").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0077U, 0U);
}

// Whatever stops a large write: it is said, and nothing of it stays.
TEST(LocalStore, LeavesNothingOfAWriteThatFails) {
    TempFolder const folder;
    create_local_store(folder / "store");
    auto const store = open_local_store(folder / "store");
    constexpr std::size_t mib = 1U << 20U;
    std::string const bytes = random_bytes(3, 6 * mib);
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    for (std::size_t const limit : {mib / 2, 3 * mib, 5 * mib + 100}) {
        rlimit const small{limit, before.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        auto const put = [&] { store->put("packs/0a/large", as_bytes(bytes)); };
        EXPECT_TRUE(contains(message_of(put), "packs/0a/large: cannot write")) << limit;
        ::setrlimit(RLIMIT_FSIZE, &before);
        EXPECT_EQ(store->stat("packs/0a/large"), std::nullopt) << limit;
    }
    EXPECT_EQ(store->put("packs/0a/large", as_bytes(bytes)), PutResult::stored);
    EXPECT_TRUE(to_text(store->get("packs/0a/large", 0, bytes.size())) == bytes);
}

TEST(LocalStore, FollowsNoLink) {
    TempFolder const folder;
    create_local_store(folder / "store");
    auto const store = open_local_store(folder / "store");
    write_file(folder / "outside", "secret");
    make_symlink(folder / "store/keys/a", folder / "outside");
    EXPECT_NE(failure_of([&] { store->get("keys/a", 0, 6); }), std::nullopt);
    EXPECT_EQ(store->put("keys/a", as_bytes("x")), PutResult::exists);
    EXPECT_EQ(store->list("keys/").size(), 1U);  // for a check to tell of it
    EXPECT_EQ(read_file(folder / "outside"), "secret");
}

// What is there for who asks is there in a listing.
TEST(LocalStore, ListsWhatIsNoFileInThePlaceOfAnObject) {
    TempFolder const folder;
    create_local_store(folder / "store");
    auto const store = open_local_store(folder / "store");
    make_folder(folder / "store/forgets/a");
    ASSERT_EQ(::mkfifo((folder / "store/snapshots/b").c_str(), 0600), 0);
    make_folder(folder / "store/packs/0a/c");
    for (auto const* name : {"forgets/a", "snapshots/b", "packs/0a/c"}) {
        auto const listed = store->list(std::string(name, std::strchr(name, '/') + 1));
        ASSERT_EQ(listed.size(), 1U) << name;
        EXPECT_EQ(listed[0].name, name);
        EXPECT_EQ(failure_of([&] { store->get(name, 0, 1); }), RepositoryFailure::corrupt) << name;
    }
}

TEST(LocalStore, AFolderThatCannotBeListedIsAnError) {
    TempFolder const folder;
    create_local_store(folder / "store");
    auto const store = open_local_store(folder / "store");
    EXPECT_EQ(store->list("snapshots/").size(), 0U);
    ASSERT_EQ(::rmdir((folder / "store/snapshots").c_str()), 0);
    EXPECT_EQ(failure_of([&] { store->list("snapshots/"); }), RepositoryFailure::failed);
    EXPECT_EQ(failure_of([&] { store->list(""); }), std::nullopt);
}

TEST(LocalStore, HoldsARepository) {
    TempFolder const folder;
    write_file(folder / "file", "content");
    OpenOptions const options{folder / "cache", false};
    InitOptions init;
    init.mode = Mode::none;
    auto request = saving({folder / "file"});
    Progress progress;
    auto const taken =
        take_snapshot(*init_repository(folder / "store", init, {}, options), request, progress);
    EXPECT_EQ(repository_mode_at(folder / "store"), Mode::none);
    auto const again = open_repository(folder / "store", {}, options);
    std::string content;
    dump_file(*again, taken.snapshot, folder / "file",
              [&](ByteView part) { content += to_text(part); });
    EXPECT_EQ(content, "content");
    EXPECT_TRUE(check_repository(*again, CheckDepth::read_data, 1, progress).clean());
    EXPECT_EQ(failure_of([&] { init_repository(folder / "store", init, {}, options); }),
              RepositoryFailure::failed);
}

// Each verb once, in the order of Verb.
void call_all(Backend& store) {
    store.put("a", as_bytes("x"));
    store.get("a", 0, 1);
    store.stat("a");
    store.list("");
    store.remove("a");
    store.barrier();
}

TEST(ObservedBackend, SeesEachCallBeforeItHappens) {
    MemoryBackend inner;
    std::vector<std::pair<Verb, std::string>> seen;
    bool was_there_before_put = true;
    ObservedBackend observed(inner, [&](Verb verb, std::string const& name) {
        if (verb == Verb::put) was_there_before_put = inner.stat(name).has_value();
        seen.emplace_back(verb, name);
    });
    call_all(observed);
    EXPECT_FALSE(was_there_before_put);
    EXPECT_EQ(seen, (std::vector<std::pair<Verb, std::string>>{{Verb::put, "a"},
                                                               {Verb::get, "a"},
                                                               {Verb::stat, "a"},
                                                               {Verb::list, ""},
                                                               {Verb::remove, "a"},
                                                               {Verb::barrier, "barrier"}}));
}

TEST(ObservedBackend, FailsInPlaceOfTheCall) {
    MemoryBackend inner;
    ObservedBackend observed(inner, [](Verb, std::string const& name) {
        throw RepositoryError(RepositoryFailure::no_space, name);
    });
    EXPECT_EQ(failure_of([&] { observed.put("a", {}); }), RepositoryFailure::no_space);
    EXPECT_EQ(inner.objects().size(), 0U);
}

TEST(CallCounter, CountsByVerb) {
    MemoryBackend inner;
    CallCounter counter;
    ObservedBackend observed(inner, [&](Verb verb, std::string const&) { counter(verb); });
    call_all(observed);
    observed.stat("a");
    EXPECT_EQ(counter.of(Verb::put), 1U);
    EXPECT_EQ(counter.of(Verb::stat), 2U);
    EXPECT_EQ(counter.of(Verb::barrier), 1U);
    EXPECT_EQ(counter.total(), 7U);
}

// Which of ten calls (put, get, put, get, ...) fail.
std::vector<int> failing_calls(FaultPlan::Scope scope, FaultPlan::Then then) {
    MemoryBackend inner;
    inner.put("a", {});
    FaultPlan plan(3, scope, then, RepositoryFailure::no_space);
    ObservedBackend observed(inner, [&](Verb verb, std::string const& name) { plan(verb, name); });
    std::vector<int> failing;
    for (int call = 1; call <= 10; ++call) {
        auto const failure = failure_of([&] {
            if (call % 2 == 1) {
                observed.put(std::to_string(call), {});
            } else {
                observed.get("a", 0, 0);
            }
        });
        if (failure == RepositoryFailure::no_space) failing.push_back(call);
    }
    EXPECT_TRUE(plan.has_failed());
    return failing;
}

TEST(FaultPlan, FailsAtTheCallItIsToldTo) {
    using Scope = FaultPlan::Scope;
    using Then = FaultPlan::Then;
    EXPECT_EQ(failing_calls(Scope::any, Then::recover), std::vector<int>{3});
    EXPECT_EQ(failing_calls(Scope::changes, Then::recover), std::vector<int>{5});
    EXPECT_EQ(failing_calls(Scope::any, Then::stay_broken),
              (std::vector<int>{3, 4, 5, 6, 7, 8, 9, 10}));
    EXPECT_EQ(failing_calls(Scope::changes, Then::stay_broken), (std::vector<int>{5, 7, 9}));
}

}  // namespace
}  // namespace coffre
