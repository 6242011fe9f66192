// Writers, collectors, one who forgets and takes back, one who reads and one who checks, all on
// one store, each stopped for good at some call or not: what was acknowledged and not forgotten
// stays, whole, and nobody ever meets damage. Each call of the store is a point where another
// machine may go ahead.
#include "engine/forget.h"
#include "engine/prune.h"
#include "engine/repository/snapshot_store.h"
#include "engine/tag.h"
#include "schedule.h"

namespace coffre::proof {
namespace {

// What was called, in which order. Objects are named by the order in which they appear, since their
// names rest on where the test's folders are.
class Trace {
public:
    void add(Schedule::Machine machine, Verb verb, std::string const& name) {
        auto const slash = name.find('/');
        auto const folder = slash == std::string::npos ? name : name.substr(0, slash);
        auto const known = ordinals_.emplace(name, ordinals_.size()).first;
        calls_.push_back(std::to_string(machine) + " " + std::to_string(static_cast<int>(verb)) +
                         " " + folder + " " + std::to_string(known->second));
    }
    Names const& calls() const { return calls_; }

private:
    std::map<std::string, std::size_t> ordinals_;
    Names calls_;
};

// Announcing, condemning, publishing, and looking for them.
bool is_step(std::string const& name) {
    return name.starts_with("sessions/") || name.starts_with("gclog/") ||
           name.starts_with("snapshots/");
}

// A machine: its own view of the store, and the moment at which it stops for good, if any.
class Machine {
public:
    Machine(Schedule::Machine id, Schedule& schedule, Trace& trace, TestRepo& repo)
        : dies_at_(schedule.draw(3) == 0 ? schedule.draw(200) + 10 : ~std::uint64_t{0}),
          backend_(std::make_shared<ObservedBackend>(
              repo.store(),
              [this, id, &schedule, &trace](Verb verb, std::string const& name) {
                  schedule.pass(id, is_step(name));
                  trace.add(id, verb, name);
                  if (++calls_ < dies_at_) return;
                  throw RepositoryError(RepositoryFailure::failed, name + ": the machine stopped");
              })),
          credentials_(repo.credentials()) {}
    // As its next command does.
    void open() {
        repository_.reset();
        repository_ = open_repository(backend_, credentials_, {cache_.path(), false, {}});
    }
    Repository& operator*() { return *repository_; }

private:
    TempFolder cache_;
    std::uint64_t calls_ = 0;
    std::uint64_t dies_at_;
    std::shared_ptr<ObservedBackend> backend_;
    Credentials credentials_;
    std::shared_ptr<Repository> repository_;
};

class Crowd {
public:
    Crowd(std::uint64_t step, Cases& cases) : schedule_(step), cases_(cases) {
        for (unsigned tree = 0; tree < trees; ++tree) make_tree(tree);
        for (unsigned tree = 0; tree < 2; ++tree) acknowledge(save(*repo_, {path(tree)}), tree);
    }

    // Returns the calls that were made.
    Names run() {
        for (int i = 0; i < 2; ++i) {
            add([this](Machine& machine) { write(machine); });
            add([this](Machine& machine) { collect(machine); });
        }
        add([this](Machine& machine) { forget_most(machine); });
        add([this](Machine& machine) { read(machine); });
        add([this](Machine& machine) { look(machine); });
        schedule_.run(machines_);
        verify("at once");
        Progress progress;
        for (int i = 0; i < 2; ++i) prune(*repo_, tidy(), progress);
        verify("after all");
        return trace_.calls();
    }

private:
    static constexpr unsigned trees = 3;
    static constexpr unsigned rounds = 4;

    static PruneRequest tidy() {
        PruneRequest request;
        request.max_unused = 0;
        request.slots_per_checkpoint = 2;
        request.threads = 1;
        return request;
    }
    std::string path(unsigned tree) { return folder_ / ("tree" + std::to_string(tree)); }

    // Trees share most of their files.
    void make_tree(unsigned tree) {
        make_folder(path(tree));
        for (unsigned file = 0; file < 4; ++file) {
            unsigned const content = file < 3 ? (tree + file) % 4 : 100 + tree;
            write_file(path(tree) + "/file" + std::to_string(file), random_bytes(content, 9'000));
        }
        images_.push_back(image_of(path(tree)));
    }

    template <class Action>
    void add(Action action) {
        machines_.emplace_back([this, id = machines_.size(), action] {
            try {
                Machine machine(id, schedule_, trace_, repo_);
                for (unsigned round = 0; round < rounds; ++round) {
                    schedule_.rest(id);
                    machine.open();
                    action(machine);
                }
            } catch (RepositoryError const& error) {
                note(error);
            }
        });
    }

    // Whoever stops, is ended twice or finds nothing left to do says so; damage is never met.
    void note(RepositoryError const& error) {
        bool const is_stopped = contains(error.what(), "the machine stopped");
        if (is_stopped) return cases_.add("stopped");
        cases_.add("refused");
        cases_.expect(
            error.kind() == RepositoryFailure::failed || error.kind() == RepositoryFailure::fenced,
            error.what());
    }

    void acknowledge(SnapshotResult const& taken, unsigned tree) {
        acknowledged_[taken.id.value()] = tree;
        cases_.add("snapshots");
    }

    void write(Machine& machine) {
        auto const tree = static_cast<unsigned>(schedule_.draw(trees));
        SnapshotRequest request = saving({path(tree)});
        request.threads = 1;
        if (schedule_.draw(2) == 0) request.parent = ParentChoice::none;
        Progress progress;
        try {
            acknowledge(take_snapshot(*machine, request, progress), tree);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            cases_.add("ended twice");
        }
    }

    void collect(Machine& machine) {
        if (schedule_.draw(3) == 0) declare_some_dead();
        Progress progress;
        auto const report = prune(*machine, tidy(), progress);
        if (report.removed.packs > 0) cases_.add("collections that removed");
        if (!report.waiting_for.empty()) cases_.add("collections that waited");
    }

    // Whole, unless it is given up meanwhile.
    void read(Machine& machine) {
        auto const found = find_snapshot(*machine, "latest", {});
        try {
            dump_tar(*machine, found.snapshot, "", [](ByteView) {});
            cases_.add("read");
        } catch (RepositoryError const& error) {
            GcState const log = read_gc_log(repo_.store(), repo_->keys());
            bool const is_damage = error.kind() == RepositoryFailure::corrupt;
            if (!is_damage || is_live(*repo_, found.id, log)) throw;
            cases_.add("given up while they were read");
        }
    }

    void look(Machine& machine) {
        auto const report = check(*machine, CheckDepth::structure);
        cases_.expect(report.clean(), "a check met damage: " + joined(report.errors));
        cases_.add("checked");
    }

    // Most of what was acknowledged, taken out of what must stay before it is given up.
    std::map<SessionId, unsigned> take_most() {
        std::map<SessionId, unsigned> taken;
        while (acknowledged_.size() > 1 + schedule_.draw(2)) {
            auto const which = schedule_.draw(acknowledged_.size());
            auto const at = std::next(acknowledged_.begin(), static_cast<std::ptrdiff_t>(which));
            taken.insert(acknowledged_.extract(at));
        }
        return taken;
    }

    void forget_most(Machine& machine) {
        auto const taken = take_most();
        if (taken.empty()) return;
        ForgetRequest request;
        for (auto const& [id, tree] : taken) request.names.push_back(id.hex());
        request.allow_many = true;
        Progress progress;
        forget(*machine, request, progress);
        cases_.add("forgotten", taken.size());
        if (schedule_.draw(2) == 0) take_back(machine, *taken.begin());
    }

    void take_back(Machine& machine, std::pair<SessionId, unsigned> const& forgotten) {
        Progress progress;
        try {
            auto const back = unforget(*machine, forgotten.first.hex(), progress);
            acknowledged_[back.now.id] = forgotten.second;
            cases_.add("taken back");
        } catch (RepositoryError const& error) {
            bool const is_refusal = error.kind() == RepositoryFailure::failed ||
                                    error.kind() == RepositoryFailure::fenced ||
                                    error.kind() == RepositoryFailure::corrupt;
            if (!is_refusal) throw;
        }
    }

    // As if nothing had been heard of some writers for an hour.
    void declare_some_dead() {
        for (auto const& name : repo_.objects("sessions/")) {
            if (schedule_.draw(3) == 0) repo_.store().set_modified(name, 1);
        }
    }

    void verify(std::string const& when) {
        repo_.reopen_elsewhere();
        auto const report = check(*repo_);
        cases_.expect(report.clean(), when + ": " + joined(report.errors));
        std::map<SessionId, Snapshot> listed;
        for (auto& named : list_snapshots(*repo_).snapshots) listed[named.id] = named.snapshot;
        for (auto const& [id, tree] : acknowledged_) {
            auto const found = listed.find(id);
            cases_.expect(found != listed.end(), when + ": " + id.hex() + " is lost");
            if (found == listed.end()) continue;
            bool const is_same = repo_.restored(found->second, path(tree)) == images_[tree];
            cases_.expect(is_same, when + ": " + id.hex() + " is another tree");
        }
    }

    Schedule schedule_;
    Trace trace_;
    Cases& cases_;
    TempFolder folder_;
    TestRepo repo_{Mode::none, {4096, 16384, 65536}};
    std::vector<TreeImage> images_;
    std::vector<std::function<void()>> machines_;
    std::map<SessionId, unsigned> acknowledged_;  // which tree
};

Names run_crowd(std::uint64_t step, Cases& cases) {
    SeededRandomness const randomness(step);
    return Crowd(step, cases).run();
}

// In parts that may run beside each other.
constexpr std::uint64_t parts = 4;
class ManyAtOnce : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Part, ManyAtOnce, testing::Range(std::uint64_t{0}, parts));

TEST_P(ManyAtOnce, LoseNothing) {
    Cases cases("many at once", "crowds");
    std::uint64_t const crowds = is_long() ? 100'000 : 2'000 / (thinning * thinning);
    for (std::uint64_t step = GetParam(); step < crowds; step += parts) {
        cases.run("crowd " + std::to_string(step), [&] { run_crowd(step, cases); });
    }
}

TEST(ManyAtOnceAgain, AreReplayedCallByCall) {
    Cases cases("many at once, again", "crowds");
    for (std::uint64_t step = 0; step < 20 / thinning; ++step) {
        cases.run("crowd " + std::to_string(step), [&] {
            auto const first = run_crowd(step, cases);
            auto const again = run_crowd(step, cases);
            auto const [a, b] =
                std::mismatch(first.begin(), first.end(), again.begin(), again.end());
            if (first == again) return;
            cases.fail("call " + std::to_string(a - first.begin()) + " of " +
                       std::to_string(first.size()) + " was " + *a + ", then " + *b);
        });
    }
}

}  // namespace
}  // namespace coffre::proof
