// Writers, collectors, one who forgets and takes back, and one who declares sessions dead, all at
// once on one store, each stopped for good at some call or not: what was acknowledged and not
// forgotten stays, whole.
//
// Each call of the store is a point where another process may go ahead for a while: a seed says
// where and for how many calls. Threads of one process run freely between them, so a seed repeats
// the plan of a case, not its last interleaving.
#include <atomic>
#include <condition_variable>
#include <thread>

#include "engine/forget.h"
#include "engine/prune.h"
#include "engine/tag.h"
#include "proof.h"

namespace coffre::proof {
namespace {

// Lets others make some calls first, now and then. Nobody waits for those who have nothing to do.
class Turns {
public:
    explicit Turns(std::uint64_t step) : random_(random_of(step)) {}

    void pass() {
        std::unique_lock lock(mutex_);
        ++calls_;
        changed_.notify_all();
        if (pick(random_, 6) != 0) return;
        std::uint64_t const until = calls_ + pick(random_, 60);
        changed_.wait_for(lock, std::chrono::milliseconds(1), [&] { return calls_ >= until; });
    }
    std::size_t draw(std::size_t below) {
        std::lock_guard const lock(mutex_);
        return pick(random_, below);
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::mt19937_64 random_;
    std::uint64_t calls_ = 0;
};

// A machine: its own view of the store, and the moment at which it stops for good, if any.
class Machine {
public:
    Machine(MemoryBackend& store, Turns& turns, TestRepo const& repo)
        : dies_at_(turns.draw(3) == 0 ? turns.draw(200) + 10 : ~std::uint64_t{0}),
          backend_(std::make_shared<ObservedBackend>(
              store, [this, &turns](Verb, std::string const& name) {
                  turns.pass();
                  if (++calls_ < dies_at_) return;
                  throw RepositoryError(RepositoryFailure::failed, name + ": the machine stopped");
              })) {
        repository_ = open_repository(backend_, repo.credentials(), {cache_.path(), false, {}});
    }
    Repository& operator*() { return *repository_; }

private:
    TempFolder cache_;
    std::atomic<std::uint64_t> calls_{0};
    std::uint64_t dies_at_;
    std::shared_ptr<ObservedBackend> backend_;
    std::shared_ptr<Repository> repository_;
};

class Crowd {
public:
    Crowd(std::uint64_t step, Cases& cases) : turns_(step), cases_(cases) {
        for (unsigned tree = 0; tree < trees; ++tree) make_tree(tree);
        for (unsigned tree = 0; tree < 2; ++tree) acknowledge(save(*repo_, {path(tree)}), tree);
    }

    void run() {
        {
            std::vector<std::jthread> threads;
            for (int i = 0; i < 2; ++i) {
                start(threads, [this](Machine& machine) { write(machine); });
                start(threads, [this](Machine& machine) { collect(machine); });
            }
            start(threads, [this](Machine& machine) { forget_some(machine); });
            threads.emplace_back([this] { declare_dead(); });
        }
        verify("at once");
        Progress progress;
        for (int i = 0; i < 2; ++i) prune(*repo_, tidy(), progress);
        verify("after all");
    }

private:
    static constexpr unsigned trees = 5;
    static constexpr unsigned rounds = 4;

    static PruneRequest tidy() {
        PruneRequest request;
        request.max_unused = 0;
        request.threads = 1;
        return request;
    }
    std::string path(unsigned tree) { return folder_ / ("tree" + std::to_string(tree)); }

    // Trees share most of their files.
    void make_tree(unsigned tree) {
        make_folder(path(tree));
        for (unsigned file = 0; file < 6; ++file) {
            unsigned const content = file < 4 ? (tree + file) % 6 : 100 + tree * 10 + file;
            write_file(path(tree) + "/file" + std::to_string(file), random_bytes(content, 9'000));
        }
        images_.push_back(image_of(path(tree)));
    }

    template <class Action>
    void start(std::vector<std::jthread>& threads, Action action) {
        threads.emplace_back([this, action] {
            try {
                Machine machine(repo_.store(), turns_, repo_);
                for (unsigned round = 0; round < rounds; ++round) action(machine);
            } catch (RepositoryError const& error) {
                note(error);
            }
        });
    }

    // Whoever stops, is ended twice or finds nothing left to do says so; damage is never met.
    void note(RepositoryError const& error) {
        std::lock_guard const lock(mutex_);
        bool const is_stopped = contains(error.what(), "the machine stopped");
        if (is_stopped) return cases_.add("stopped");
        cases_.add("refused");
        cases_.expect(
            error.kind() == RepositoryFailure::failed || error.kind() == RepositoryFailure::fenced,
            error.what());
    }

    void acknowledge(SnapshotResult const& taken, unsigned tree) {
        std::lock_guard const lock(mutex_);
        acknowledged_[taken.id.value()] = tree;
        cases_.add("snapshots");
    }

    void write(Machine& machine) {
        auto const tree = static_cast<unsigned>(turns_.draw(trees));
        SnapshotRequest request = saving({path(tree)});
        request.threads = 1;
        if (turns_.draw(2) == 0) request.parent = ParentChoice::none;
        Progress progress;
        try {
            acknowledge(take_snapshot(*machine, request, progress), tree);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            cases_add("ended twice");
        }
    }

    void collect(Machine& machine) {
        Progress progress;
        auto const report = prune(*machine, tidy(), progress);
        if (report.removed.packs > 0) cases_add("collections that removed");
    }

    void cases_add(std::string const& what) {
        std::lock_guard const lock(mutex_);
        cases_.add(what);
    }

    // An acknowledged one, taken out of those that must stay before it is given up.
    std::optional<std::pair<SessionId, unsigned>> take_one() {
        auto const which = turns_.draw(4);
        std::lock_guard const lock(mutex_);
        if (acknowledged_.size() <= which + 1) return std::nullopt;
        auto const chosen = std::next(acknowledged_.begin(), static_cast<std::ptrdiff_t>(which));
        std::pair const taken = *chosen;
        acknowledged_.erase(chosen);
        return taken;
    }

    void forget_some(Machine& machine) {
        auto const taken = take_one();
        if (!taken) return;
        ForgetRequest request;
        request.names = {taken->first.hex()};
        request.allow_many = true;
        Progress progress;
        forget(*machine, request, progress);
        cases_add("forgotten");
        if (turns_.draw(2) == 0) return;
        try {
            auto const back = unforget(*machine, taken->first.hex(), progress);
            std::lock_guard const lock(mutex_);
            acknowledged_[back.now.id] = taken->second;
            cases_.add("taken back");
        } catch (RepositoryError const& error) {
            bool const is_refusal = error.kind() == RepositoryFailure::failed ||
                                    error.kind() == RepositoryFailure::fenced ||
                                    error.kind() == RepositoryFailure::corrupt;
            if (!is_refusal) throw;
        }
    }

    void declare_dead() {
        for (unsigned round = 0; round < 3 * rounds; ++round) {
            for (auto i = turns_.draw(60); i > 0; --i) turns_.pass();
            for (auto const& name : repo_.objects("sessions/")) {
                if (turns_.draw(3) == 0) repo_.store().set_modified(name, 1);
            }
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

    Turns turns_;
    Cases& cases_;
    TempFolder folder_;
    TestRepo repo_{Mode::none, {4096, 16384, 65536}};
    std::vector<TreeImage> images_;
    std::mutex mutex_;
    std::map<SessionId, unsigned> acknowledged_;  // which tree; by mutex_
};

TEST(ManyAtOnce, LoseNothing) {
    Cases cases("many at once", "crowds");
    std::uint64_t const crowds = is_long() ? 5000 : 40 / thinning;
    for (std::uint64_t step = 0; step < crowds; ++step) {
        cases.run("crowd " + std::to_string(step), [&] { Crowd(step, cases).run(); });
    }
}

}  // namespace
}  // namespace coffre::proof
