// A process is killed before and after each call to its store: what was acknowledged is whole, and
// the next run needs no help.
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>

#include "child.h"
#include "engine/backend/local.h"
#include "hooked_backend.h"
#include "key_changes.h"
#include "maintenance.h"
#include "proof.h"

namespace coffre::proof {
namespace {

constexpr int killed = 137;
constexpr unsigned child_seconds = 60;
constexpr std::uint64_t kill_limit = 200;  // more than any of the operations makes

enum class Calls { that_change, that_read };

// Ends the process at the `call`-th call of its kind.
HookedBackend::Hook killer(std::uint64_t call, Moment when, Calls which) {
    auto const seen = std::make_shared<std::atomic<std::uint64_t>>(0);
    return [=](Moment moment, Verb verb, std::string const&) {
        if (moment != when || changes_the_store(verb) != (which == Calls::that_change)) return;
        if (++*seen == call) ::_exit(killed);
    };
}

// A repository in a folder, the cache of its machine, and what is saved.
class KillEverywhere : public testing::TestWithParam<Moment> {
protected:
    void SetUp() override { write_source(1); }

    void write_source(unsigned version) {
        write_file(source_ / "same", compressible_text(1, 30'000));
        write_file(source_ / "changes", random_bytes(version, 40'000));
        write_file(source_ / ("new " + std::to_string(version)), "new");
    }
    std::string store() const { return work_ / "store"; }
    OpenOptions options() const { return {work_ / "cache", false}; }
    static InitOptions small_chunks() {
        InitOptions init;
        init.chunker = {256, 1024, 4096};
        return init;
    }
    // The key lies outside of what is put back.
    Credentials credentials() const {
        Credentials credentials;
        credentials.key_file = keys_ / "key";
        return credentials;
    }
    std::shared_ptr<Backend> hooked(HookedBackend::Hook hook) {
        return std::make_shared<HookedBackend>(open_local_store(store()), std::move(hook));
    }
    std::shared_ptr<Repository> open() {
        return open_repository(store(), credentials(), options());
    }

    void init_whole() { init_repository(store(), small_chunks(), credentials(), options()); }
    void save_whole() {
        auto const repository = open();
        save(*repository, {source_.path()});
        tars_ = all_tars(*repository);
    }
    // The state that each round starts from.
    void keep_state() {
        std::filesystem::remove_all(base_ / "store");
        copy(work_.path(), base_.path());
    }
    void put_state_back() {
        for (auto const* part : {"/store", "/cache"}) {
            std::filesystem::remove_all(work_.path() + part);
        }
        copy(base_.path(), work_.path());
    }
    static void copy(std::string const& from, std::string const& to) {
        using Options = std::filesystem::copy_options;
        std::filesystem::copy(from, to, Options::recursive | Options::overwrite_existing);
    }

    // Kills `action` at call 1, 2, ... until it comes to its end, and looks at what is left; `look`
    // is told whether that is all.
    template <class Action, class Look>
    void kill_at_every(Cases& cases, Calls which, Action const& action, Look const& look) {
        for (std::uint64_t call = 1; call < kill_limit; ++call) {
            put_state_back();
            bool is_over = false;
            cases.run("call " + std::to_string(call), [&] {
                auto const end = run_in_child(
                    [&] {
                        action(hooked(killer(call, GetParam(), which)));
                        return std::string();
                    },
                    child_seconds);
                is_over = end.well();
                cases.expect(is_over || end.exit_code == killed, end.describe());
                look(is_over);
            });
            if (is_over) return;
        }
        FAIL() << "never comes to its end";
    }

    // Sound as it was left, and a snapshot can be taken at once.
    void expect_goes_on(Repository& repository, std::string const& content, Cases& cases) {
        auto const before = all_tars(repository);
        for (auto const& [id, tar] : tars_) {
            cases.expect(before.contains(id) && before.at(id) == tar,
                         "snapshot " + id + " is lost");
        }
        for (auto const& [id, snapshot] : list_snapshots(repository).snapshots) {
            if (tars_.contains(id.hex())) continue;
            cases.add("snapshots that were not acknowledged");
            expect_whole(repository, snapshot, content, cases);
        }
        auto const report = check(repository);
        cases.expect(report.clean(), joined(report.errors));
        auto const next = save(repository, {source_.path()});
        expect_whole(repository, next.snapshot, content, cases);
        cases.expect(all_tars(repository).size() == before.size() + 1, "others were changed");
    }
    void expect_whole(Repository& repository, Snapshot const& snapshot, std::string const& content,
                      Cases& cases) const {
        cases.expect(content_of(repository, snapshot) == content, "a snapshot has a hole");
        std::string dump;
        for (auto const& name : snapshot.streams) {
            dump_file(repository, snapshot, name, [&](ByteView part) { dump += to_text(part); });
        }
        cases.expect(snapshot.streams.empty() || dump == a_stream(), "a stream has a hole");
    }
    std::string content_of(Repository& repository, Snapshot const& snapshot) const {
        std::string tar;
        dump_tar(repository, snapshot, source_.path(),
                 [&](ByteView part) { tar += to_text(part); });
        return tar;
    }
    // What a snapshot of the source holds now.
    std::string content_now() {
        TestRepo repo;
        auto const snapshot = repo.save(source_.path()).snapshot;
        return content_of(*repo, snapshot);
    }
    void kill_key_change(KeyChange const& change, std::string const& content,
                         Secrets const& secrets) {
        Cases cases("killed in key " + change.name, "kills");
        OpenWith const open_with = [&](Credentials const& by) {
            return open_repository(store(), by, options());
        };
        kill_at_every(
            cases, Calls::that_change,
            [&](std::shared_ptr<Backend> const& store) {
                change.run(*open_repository(store, credentials(), options()), secrets);
            },
            [&](bool is_over) {
                auto const done = is_over ? Change::is_done : Change::may_be_done;
                auto const opens =
                    secrets.of(expect_promised(change, done, open_with, secrets, cases));
                expect_goes_on(*open_with(opens), content, cases);
                expect_keys_go_on(open_with, opens, secrets, cases);
            });
    }
    void kill_maintenance(MaintenanceChange const& change, Contents const& saved) {
        Cases cases("killed in " + change.name, "kills");
        change.prepare(*open());
        keep_state();
        auto const before = change.is_readable_before ? contents_of(*open()) : saved;
        change.run(*open());
        auto const after = contents_of(*open());
        kill_at_every(
            cases, Calls::that_change,
            [&](std::shared_ptr<Backend> const& store) {
                change.run(*open_repository(store, credentials(), options()));
            },
            [&](bool) {
                bool const is_between =
                    !change.is_readable_before || lies_between(contents_of(*open()), before, after);
                cases.expect(is_between, "not what was there, and not what was to be");
                auto const repository = open();
                change.run(*repository);
                cases.expect(contents_of(*repository) == after, "does not go on");
                auto const report = check(*repository);
                cases.expect(report.clean(), joined(report.errors));
                save(*repository, {source_.path()});
            });
    }
    static std::string a_stream() { return random_bytes(77, 50'000); }

    void kill_snapshots(Cases& cases, bool with_stream) {
        std::string const content = content_now();
        keep_state();
        kill_at_every(
            cases, Calls::that_change,
            [&](std::shared_ptr<Backend> const& store) {
                auto const repository = open_repository(store, credentials(), options());
                auto request = saving({source_.path()});
                if (with_stream) request.streams.push_back(stream("dump", a_stream()));
                Progress progress;
                take_snapshot(*repository, request, progress);
            },
            [&](bool) { expect_goes_on(*open(), content, cases); });
    }

    TempFolder source_;
    TempFolder keys_;
    TempFolder work_;
    TempFolder base_;
    std::map<std::string, std::string> tars_;  // of what was acknowledged
};

INSTANTIATE_TEST_SUITE_P(Moments, KillEverywhere, testing::Values(Moment::before, Moment::after),
                         [](auto const& moment) {
                             return moment.param == Moment::before ? "Before" : "After";
                         });

TEST_P(KillEverywhere, InInit) {
    Cases cases("killed in init", "kills");
    std::string const content = content_now();
    create_local_store(store());
    keep_state();
    kill_at_every(
        cases, Calls::that_change,
        [&](std::shared_ptr<Backend> const& store) {
            init_repository(store, small_chunks(), credentials(), options());
        },
        [&](bool) {
            bool const is_made = open_local_store(store())->stat(names::config).has_value();
            if (!is_made) init_whole();
            expect_goes_on(*open(), content, cases);
        });
}

TEST_P(KillEverywhere, InTheFirstSnapshot) {
    Cases cases("killed in the first snapshot", "kills");
    init_whole();
    kill_snapshots(cases, false);
}

TEST_P(KillEverywhere, InTheSecondSnapshot) {
    Cases cases("killed in the second snapshot", "kills");
    init_whole();
    save_whole();
    write_source(2);
    kill_snapshots(cases, false);
}

TEST_P(KillEverywhere, InASnapshotWithAStream) {
    Cases cases("killed in a snapshot with a stream", "kills");
    init_whole();
    save_whole();
    write_source(3);
    kill_snapshots(cases, true);
}

TEST_P(KillEverywhere, InAKeyChange) {
    Secrets secrets(keys_.path());
    init_whole();
    save_whole();
    secrets.add_spare(*open());
    write_source(2);
    std::string const content = content_now();
    keep_state();
    for (auto const& change : key_changes()) kill_key_change(change, content, secrets);
}

TEST_P(KillEverywhere, InMaintenance) {
    init_whole();
    save_whole();
    write_source(2);
    save_whole();
    auto const saved = contents_of(*open());
    TempFolder const sound;
    copy(work_.path(), sound.path());
    for (auto const& change : maintenance_changes()) {
        std::filesystem::remove_all(base_ / "store");
        copy(sound.path(), base_.path());
        put_state_back();
        kill_maintenance(change, saved);
    }
}

TEST_P(KillEverywhere, InARestore) {
    Cases cases("killed in a restore", "kills");
    init_whole();
    save_whole();
    auto const before = image_of(source_.path());
    auto const snapshot = list_snapshots(*open()).snapshots.back().snapshot;
    write_source(4);
    keep_state();
    TempFolder const changed;
    copy(source_.path(), changed.path());
    RestoreRequest request;
    request.from = {{}, snapshot, source_.path()};
    request.target = source_.path();
    request.delete_extra = true;
    request.threads = 1;
    kill_at_every(
        cases, Calls::that_read,
        [&](std::shared_ptr<Backend> const& store) {
            copy(changed.path(), source_.path());
            Progress progress;
            restore_snapshot(*open_repository(store, credentials(), options()), request, progress);
        },
        [&](bool) {
            Progress progress;
            restore_snapshot(*open(), request, progress);
            cases.expect(image_of(source_.path()) == before, "the files are not as they were");
            cases.expect(all_tars(*open()) == tars_, "a restore changed the repository");
        });
}

}  // namespace
}  // namespace coffre::proof
