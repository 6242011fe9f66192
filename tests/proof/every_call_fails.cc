// Every call to the store fails, once or for good, before it is done or after: the command succeeds
// and is right, or it fails and nothing is lost.
#include <gtest/gtest.h>

#include <atomic>

#include "hooked_backend.h"
#include "key_changes.h"
#include "maintenance.h"
#include "proof.h"

namespace coffre::proof {
namespace {

constexpr std::uint64_t call_limit = 400;  // more than any of the operations makes

struct Fault {
    Moment moment;
    FaultPlan::Then then;
    RepositoryFailure kind;
    std::size_t number;
};

std::vector<Fault> all_faults() {
    std::vector<Fault> faults;
    for (auto const moment : {Moment::before, Moment::after}) {
        for (auto const then : {FaultPlan::Then::recover, FaultPlan::Then::stay_broken}) {
            for (auto const kind : {RepositoryFailure::failed, RepositoryFailure::no_space,
                                    RepositoryFailure::corrupt}) {
                faults.push_back({moment, then, kind, faults.size()});
            }
        }
    }
    // What is refused is not done.
    for (auto const then : {FaultPlan::Then::recover, FaultPlan::Then::stay_broken}) {
        faults.push_back({Moment::before, then, RepositoryFailure::denied, faults.size()});
    }
    return faults;
}

std::string name_of(testing::TestParamInfo<Fault> const& info) {
    Fault const& fault = info.param;
    std::string name = fault.moment == Moment::before ? "Before" : "After";
    name += fault.then == FaultPlan::Then::recover ? "Once" : "ForGood";
    switch (fault.kind) {
        case RepositoryFailure::failed:
            return name + "Failed";
        case RepositoryFailure::no_space:
            return name + "NoSpace";
        case RepositoryFailure::denied:
            return name + "Denied";
        default:
            return name + "Corrupt";
    }
}

class EveryCallFails : public testing::TestWithParam<Fault> {
protected:
    void SetUp() override {
        write_file(source_ / "same", compressible_text(1, 20'000));
        write_file(source_ / "changes", random_bytes(1, 10'000));
        keys_.key_file = key_folder_ / "key";
        init(store_);
        auto const repository = open(store_);
        first_ = save(*repository, {source_.path()}).snapshot;
        tars_ = all_tars(*repository);
        image_ = image_of(source_.path());
        sound_ = store_->objects();
    }
    void change_source() {
        write_file(source_ / "changes", random_bytes(2, 10'000));
        write_file(source_ / "new", random_bytes(3, 5000));
        TestRepo other;
        content_ = other.tar_of(other.save(source_.path()).snapshot, source_.path());
    }
    void init(std::shared_ptr<Backend> const& store) {
        InitOptions init;
        init.chunker = {256, 1024, 4096};
        cache_ = std::make_unique<TempFolder>();
        init_repository(store, init, keys_, {cache_->path(), false});
    }
    std::shared_ptr<Repository> open(std::shared_ptr<Backend> const& store) {
        return open_repository(store, keys_, {cache_->path(), false});
    }

    // A store that fails when armed.
    std::shared_ptr<Backend> failing(std::uint64_t call) {
        is_armed_ = std::make_shared<std::atomic<bool>>(true);
        fault_ = std::make_shared<FaultPlan>(call, FaultPlan::Scope::any, GetParam().then,
                                             GetParam().kind);
        return std::make_shared<HookedBackend>(
            store_,
            [this, moment = GetParam().moment, fault = fault_, armed = is_armed_,
             spare_barriers = spare_barriers_](Moment now, Verb verb, std::string const& name) {
                // A reader syncs what others put only to remember it: it may do without.
                if (now != moment || !*armed || (spare_barriers && verb == Verb::barrier)) return;
                try {
                    (*fault)(verb, name);
                } catch (RepositoryError const&) {
                    failed_name_ = name;
                    throw;
                }
            });
    }

    // Fails `action` at call 1, 2, ... until none of its calls is left. It gets the failing store
    // and returns whether it claims success; `look` sees what is left, the fault being over.
    template <class Action, class Look>
    void fail_at_every(Cases& cases, Action const& action, Look const& look) {
        for (std::uint64_t call = 1; call < call_limit; ++call) {
            store_->replace_all(sound_);
            cache_ = std::make_unique<TempFolder>();
            cases.run("call " + std::to_string(call), [&] {
                auto const store = failing(call);
                bool succeeds = false;
                try {
                    succeeds = action(store);
                } catch (RepositoryError const& error) {
                    cases.expect(fault_->has_failed(), std::string("threw: ") + error.what());
                }
                *is_armed_ = false;
                cases.expect(succeeds || fault_->has_failed(), "failed without a fault");
                if (succeeds && fault_->has_failed()) cases.add("successes in spite of a fault");
                look(succeeds);
            });
            if (!fault_->has_failed()) return;
        }
        FAIL() << "never comes to its end";
    }

    // What was there before is whole, and what came to it.
    void expect_sound(Repository& repository, Cases& cases) {
        auto const tars = all_tars(repository);
        for (auto const& [id, tar] : tars_) {
            cases.expect(tars.contains(id) && tars.at(id) == tar, "snapshot " + id + " is lost");
        }
        for (auto const& [id, snapshot] : list_snapshots(repository).snapshots) {
            if (!tars_.contains(id.hex())) expect_whole(repository, snapshot, cases);
        }
        auto const report = check(repository);
        cases.expect(report.clean(), joined(report.errors));
    }
    void expect_whole(Repository& repository, Snapshot const& snapshot, Cases& cases) {
        std::string tar;
        dump_tar(repository, snapshot, source_.path(),
                 [&](ByteView part) { tar += to_text(part); });
        cases.expect(tar == content_, "a snapshot has a hole");
    }
    // Arms the store when the repository is open: the fault is one of the change.
    void fail_key_change(KeyChange const& change, Secrets const& secrets) {
        Cases cases("failed calls of key " + change.name, "cases");
        fail_at_every(
            cases,
            [&](std::shared_ptr<Backend> const& store) {
                *is_armed_ = false;
                auto const repository = open(store);
                *is_armed_ = true;
                try {
                    change.run(*repository, secrets);
                } catch (RepositoryError const& error) {
                    cases.expect(contains(error.what(), failed_name_), error.what());
                    throw;
                }
                return true;
            },
            [&](bool succeeds) { expect_opens(change, succeeds, secrets, cases); });
    }
    // A short run takes two or three of the faults for each change, others with another seed.
    static bool is_taken(std::size_t change) {
        if (is_long()) return true;
        // Makes the calls of any other key, and each use of a passphrase takes its time.
        if (key_changes()[change].steps.back().contains(Holder::recovery)) return false;
        auto random = random_of(change);
        return pick(random, 6) == GetParam().number % 6;
    }
    // A short run takes two or three of the faults for each change: of different kinds and moments,
    // and others with another seed.
    static std::size_t change_of_this_fault(std::size_t changes) {
        auto random = random_of(0);
        std::size_t const row = GetParam().number / changes;
        return (GetParam().number + 2 * row + pick(random, changes)) % changes;
    }
    void expect_opens(KeyChange const& change, bool succeeds, Secrets const& secrets,
                      Cases& cases) {
        OpenWith const open_with = [&](Credentials const& by) {
            return open_repository(store_, by, {cache_->path(), false});
        };
        auto const done = succeeds ? Change::is_done : Change::may_be_done;
        auto const opens = secrets.of(expect_promised(change, done, open_with, secrets, cases));
        expect_sound(*open_with(opens), cases);
        expect_keys_go_on(open_with, opens, secrets, cases);
    }
    void fail_maintenance(MaintenanceChange const& change, Contents const& saved) {
        Cases cases("failed calls of " + change.name, "cases");
        change.prepare(*open(store_));
        sound_ = store_->objects();
        cache_ = std::make_unique<TempFolder>();
        auto const before = change.is_readable_before ? contents_of(*open(store_)) : saved;
        change.run(*open(store_));
        auto const after = contents_of(*open(store_));
        fail_at_every(
            cases,
            [&](std::shared_ptr<Backend> const& store) {
                change.run(*open(store));
                return true;
            },
            [&](bool succeeds) {
                cases.expect(!succeeds || contents_of(*open(store_)) == after,
                             "says that it is done, and is not");
                bool const is_between = !change.is_readable_before ||
                                        lies_between(contents_of(*open(store_)), before, after);
                cases.expect(is_between, "not what was there, and not what was to be");
                auto const repository = open(store_);
                change.run(*repository);
                cases.expect(contents_of(*repository) == after, "does not go on");
                auto const report = check(*repository);
                cases.expect(report.clean(), joined(report.errors));
            });
    }
    void expect_unchanged(Cases& cases) {
        auto objects = store_->objects();
        cases.expect(objects == sound_, "a reader changed the store");
    }

    TempFolder source_;
    TempFolder key_folder_;
    std::unique_ptr<TempFolder> cache_;
    Credentials keys_;
    std::shared_ptr<MemoryBackend> store_ = std::make_shared<MemoryBackend>();
    Snapshot first_;
    std::map<std::string, std::string> tars_;
    TreeImage image_;
    std::string content_;  // of the source, as a snapshot of it has it
    Objects sound_;
    std::shared_ptr<FaultPlan> fault_;
    std::string failed_name_;  // what the last call that failed was about
    std::shared_ptr<std::atomic<bool>> is_armed_;
    bool spare_barriers_ = false;
};

INSTANTIATE_TEST_SUITE_P(Faults, EveryCallFails, testing::ValuesIn(all_faults()), name_of);

TEST_P(EveryCallFails, InInit) {
    Cases cases("failed calls of init", "cases");
    change_source();
    sound_.clear();
    tars_.clear();
    fail_at_every(
        cases,
        [&](std::shared_ptr<Backend> const& store) {
            init(store);
            return true;
        },
        [&](bool) {
            if (!store_->stat(names::config)) init(store_);
            auto const repository = open(store_);
            expect_whole(*repository, save(*repository, {source_.path()}).snapshot, cases);
            expect_sound(*repository, cases);
        });
}

TEST_P(EveryCallFails, InASnapshot) {
    Cases cases("failed calls of snapshot", "cases");
    change_source();
    std::shared_ptr<Repository> repository;
    fail_at_every(
        cases,
        [&](std::shared_ptr<Backend> const& store) {
            repository.reset();
            repository = open(store);
            save(*repository, {source_.path()});
            return true;
        },
        [&](bool succeeds) {
            auto const listed = list_snapshots(*open(store_)).snapshots.size();
            cases.expect(!succeeds || listed == 2, "is not there");
            // The same process goes on, if it had come that far; then the next one does.
            if (repository) expect_sound(*repository, cases);
            repository.reset();
            repository = open(store_);
            expect_sound(*repository, cases);
            expect_whole(*repository, save(*repository, {source_.path()}).snapshot, cases);
            expect_sound(*repository, cases);
        });
}

TEST_P(EveryCallFails, InAKeyChange) {
    Secrets secrets(key_folder_.path());
    secrets.add_spare(*open(store_));
    sound_ = store_->objects();
    for (std::size_t i = 0; i < key_changes().size(); ++i) {
        if (is_taken(i)) fail_key_change(key_changes()[i], secrets);
    }
}

TEST_P(EveryCallFails, InMaintenance) {
    change_source();
    save(*open(store_), {source_.path()});
    Objects const saved = store_->objects();
    auto const contents = contents_of(*open(store_));
    auto const& changes = maintenance_changes();
    for (std::size_t i = 0; i < changes.size(); ++i) {
        if (!is_long() && change_of_this_fault(changes.size()) != i) continue;
        store_->replace_all(saved);
        cache_ = std::make_unique<TempFolder>();
        fail_maintenance(changes[i], contents);
    }
}

TEST_P(EveryCallFails, InACheck) {
    Cases cases("failed calls of check", "cases");
    spare_barriers_ = true;
    fail_at_every(
        cases, [&](std::shared_ptr<Backend> const& store) { return check(*open(store)).clean(); },
        [&](bool succeeds) {
            cases.expect(!succeeds || !fault_->has_failed(), "a fault was hidden");
            expect_unchanged(cases);
        });
}

TEST_P(EveryCallFails, InARestore) {
    Cases cases("failed calls of restore", "cases");
    std::unique_ptr<TempFolder> target;
    RestoreRequest request;
    request.from = {{}, first_, source_.path()};
    request.threads = 1;
    Progress progress;
    fail_at_every(
        cases,
        [&](std::shared_ptr<Backend> const& store) {
            target = std::make_unique<TempFolder>();
            request.target = target->path();
            auto const result = restore_snapshot(*open(store), request, progress);
            return result.damaged.empty() && result.failures.empty();
        },
        [&](bool succeeds) {
            cases.expect(!succeeds || image_of(target->path()) == image_, "the files differ");
            restore_snapshot(*open(store_), request, progress);
            cases.expect(image_of(target->path()) == image_, "the next restore does not complete");
            expect_unchanged(cases);
        });
}

TEST_P(EveryCallFails, InADump) {
    Cases cases("failed calls of dump", "cases");
    std::string const path = source_ / "same";
    std::string dumped;
    std::string tar;
    fail_at_every(
        cases,
        [&](std::shared_ptr<Backend> const& store) {
            dumped.clear();
            tar.clear();
            auto const repository = open(store);
            auto const found = find_snapshot(*repository, "latest", {});
            dump_file(*repository, found.snapshot, path,
                      [&](ByteView part) { dumped += to_text(part); });
            dump_tar(*repository, found.snapshot, "", [&](ByteView part) { tar += to_text(part); });
            return true;
        },
        [&](bool succeeds) {
            bool const exact = tar == tars_.begin()->second && dumped == read_file(path);
            cases.expect(exact || !succeeds, "other bytes and no error");
            expect_unchanged(cases);
        });
}

}  // namespace
}  // namespace coffre::proof
