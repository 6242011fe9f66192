#include "crowd.h"

#include "engine/copy.h"
#include "engine/forget.h"
#include "engine/keys.h"
#include "engine/prune.h"
#include "engine/repair.h"
#include "engine/repository/snapshot_store.h"
#include "engine/tag.h"
#include "machine.h"

namespace coffre::proof {
namespace {

struct Tree {
    std::string path;
    TreeImage image;
};

// Where copies come from: two states of one tree, in a repository that nobody else knows.
class Elsewhere {
public:
    // The trees as the two snapshots show them.
    std::vector<Tree> const& trees() const { return trees_; }
    NamedSnapshot const& snapshot(std::size_t which) const { return snapshots_.at(which); }
    Repository& operator*() { return *repo_; }

    Elsewhere() {
        write_file(path_ / "first", random_bytes(200, 9'000));
        write_file(path_ / "both", random_bytes(201, 9'000));
        save_tree();
        write_file(path_ / "second", random_bytes(202, 9'000));
        save_tree();
    }

private:
    void save_tree() {
        auto const taken = save(*repo_, {path_.path()});
        snapshots_.push_back({taken.id.value(), taken.snapshot});
        trees_.push_back({path_.path(), image_of(path_.path())});
    }

    TempFolder path_;
    TestRepo repo_{Mode::none, {4096, 16384, 65536}};
    std::vector<NamedSnapshot> snapshots_;
    std::vector<Tree> trees_;
};

class Crowd {
public:
    Crowd(std::uint64_t step, Cases& cases) : schedule_(step), cases_(cases) {
        tidy_.max_unused = 0;
        tidy_.threads = 1;
        tidy_.slots_per_checkpoint = schedule_.draw(2) == 0 ? 2 : 1'000;
        if (tidy_.slots_per_checkpoint == 2) tidy_.packs_per_checkpoint = 0;
        for (unsigned tree = 0; tree < sources; ++tree) make_tree(tree);
        make_past();
    }

    Names run() {
        gather();
        schedule_.run(machines_);
        verify("at once");
        for (int i = 0; i < 2; ++i) collect_now();
        verify("after all");
        return trace_.calls();
    }

private:
    using Action = void (Crowd::*)(Machine&);
    static constexpr unsigned sources = 3;
    static constexpr unsigned rounds = 3;

    // The fewer they are the more often two of them meet.
    void gather() {
        for (auto more = schedule_.draw(3) == 0 ? 2 : 1; more > 0; --more) add(&Crowd::collect);
        if (schedule_.draw(3) > 0) add(&Crowd::forget_or_take_back);
        static constexpr std::array<Action, 5> others{&Crowd::read, &Crowd::look, &Crowd::mend,
                                                      &Crowd::tag, &Crowd::copy};
        if (mode_ == Mode::encrypted) add(&Crowd::change_secret);
        for (auto more = schedule_.draw(3) == 0 ? 1 : 2; more > 0; --more) {
            bool const is_writer = schedule_.draw(2) == 0;
            Action const other = others.at(schedule_.draw(others.size()));
            add(is_writer ? &Crowd::write : other);
            if (!is_writer) give_work_to(other);
        }
    }

    void give_work_to(Action other) {
        if (other == &Crowd::mend) stop_a_writer();
        if (other == &Crowd::copy && !elsewhere_) bring_elsewhere();
    }

    // --- what was before ---

    // Something to collect; perhaps also a collection that waited for a writer, whose snapshot
    // needs again what was condemned; and perhaps the end of that collection.
    void make_past() {
        for (unsigned tree = 0; tree < sources; ++tree) save_now(tree);
        forget_most(*repo_);
        auto const collections = schedule_.draw(3);
        if (collections > 0) collect_beside_a_writer();
        if (collections > 1) collect_now();
    }

    void collect_beside_a_writer() {
        when_putting("snapshots/", [&] { collect_now(); });
        save_now(busy_);
        repo_.observe_nothing();
    }

    // Packs that nobody knows of, of a session that has ended.
    void stop_a_writer() {
        write_file(folder_ / "unknown", random_bytes(300, 9'000));
        when_putting("bundles/", [] { throw RepositoryError(RepositoryFailure::failed, ""); });
        auto const failure = failure_of([&] { save(*repo_, {folder_ / "unknown"}); });
        repo_.observe_nothing();
        cases_.expect(failure.has_value(), "a writer was not stopped");
    }

    // Of what is there one is a copy already.
    void bring_elsewhere() {
        elsewhere_.emplace();
        trees_.insert(trees_.end(), elsewhere_->trees().begin(), elsewhere_->trees().end());
        copy_from_elsewhere(*repo_, {elsewhere_->snapshot(0).id.hex()});
    }

    // Once.
    void when_putting(std::string const& folder, std::function<void()> action) {
        repo_.observe([folder, action = std::move(action), is_done = false](
                          Verb verb, std::string const& name) mutable {
            bool const is_it = verb == Verb::put && name.starts_with(folder);
            if (is_it && !std::exchange(is_done, true)) action();
        });
    }

    unsigned any_tree() { return static_cast<unsigned>(schedule_.draw(sources)); }

    void save_now(unsigned tree) {
        SnapshotRequest request = saving({trees_[tree].path});
        request.threads = 1;
        acknowledge_settled(repo_.take(std::move(request)), tree);
    }

    void collect_now() {
        TempFolder const cache;
        auto const machine = repo_.on_other_machine(cache);
        Progress progress;
        prune(*machine, tidy_, progress);
    }

    // Trees share most of their files.
    void make_tree(unsigned tree) {
        std::string const path = folder_ / ("tree" + std::to_string(tree));
        make_folder(path);
        for (unsigned file = 0; file < 4; ++file) {
            unsigned const content = file < 3 ? (tree + file) % 4 : 100 + tree;
            write_file(path + "/file" + std::to_string(file), random_bytes(content, 9'000));
        }
        trees_.push_back({path, image_of(path)});
    }

    void add(Action action) {
        auto const id = machines_.size();
        bool const is_doomed = is_deadly_ && schedule_.draw(3) == 0;
        auto const dies_at = is_doomed ? schedule_.draw(200) + 10 : Machine::never;
        machines_.emplace_back([this, id, action, dies_at] {
            try {
                Machine machine(id, schedule_, trace_, repo_, dies_at);
                for (unsigned round = 0; round < rounds; ++round) {
                    schedule_.rest(id);
                    machine.open();
                    (this->*action)(machine);
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
        // What began before a rekey does not read what was stored after it.
        bool const is_outdated =
            error.kind() == RepositoryFailure::wrong_key && mode_ == Mode::encrypted;
        if (is_outdated) return cases_.add("outdated");
        cases_.add("refused");
        cases_.expect(
            error.kind() == RepositoryFailure::failed || error.kind() == RepositoryFailure::fenced,
            error.what());
    }

    void acknowledge(SessionId const& id, unsigned tree) {
        acknowledged_[id] = tree;
        cases_.add("snapshots");
    }

    // As if its files had been old when it began: the next one takes them over.
    void acknowledge_settled(SnapshotResult const& taken, unsigned tree) {
        repo_.settle(taken);
        acknowledge(taken.id.value(), tree);
    }

    // --- what a machine does in one run ---

    void write(Machine& machine) {
        auto const tree = schedule_.draw(2) == 0 ? busy_ : any_tree();
        SnapshotRequest request = saving({trees_[tree].path});
        request.threads = 1;
        if (schedule_.draw(3) == 0) request.parent = ParentChoice::none;
        Progress progress;
        try {
            acknowledge_settled(take_snapshot(*machine, request, progress), tree);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            cases_.add("ended twice");
        }
    }

    void collect(Machine& machine) {
        if (is_deadly_ && schedule_.draw(2) == 0) declare_some_dead();
        Progress progress;
        auto const report = prune(*machine, tidy_, progress);
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

    // There is nothing to mend but packs that nobody made known.
    void mend(Machine& machine) {
        RepairRequest request;
        request.apply = true;
        request.threads = 1;
        Progress progress;
        try {
            expect_no_damage(repair_repository(*machine, request, progress));
            cases_.add("repaired");
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            cases_.add("repairs ended");
        }
    }

    void expect_no_damage(RepairReport const& report) {
        for (auto const* damage :
             {&report.damaged_packs, &report.missing_packs, &report.damaged_bundles,
              &report.damaged_forgets, &report.damaged_sessions, &report.beyond_repair}) {
            cases_.expect(damage->empty(), "a repair met damage: " + joined(*damage));
        }
        bool const is_hurt = report.hurt && !report.hurt->empty();
        cases_.expect(!is_hurt, "a repair met a hurt snapshot");
    }

    // What one of them is doing may have been done when it stops: nothing is said of it meanwhile.
    void tag(Machine& machine) {
        if (acknowledged_.empty()) return;
        auto const taken = take_one();
        TagChange change;
        change.add = {std::to_string(schedule_.draw(1'000'000))};
        auto const id = taken.first;
        Progress progress;
        try {
            auto const found = find_snapshot(*machine, id.hex(), {});
            auto const done =
                change_tags(*machine, {{found.id, found.snapshot}}, change, progress, {});
            acknowledged_[done.empty() ? id : done[0].now.id] = taken.second;
            cases_.add("tagged");
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            acknowledged_.insert(taken);
        }
    }

    // What is stored from now on needs the new one, which the same key opens.
    void change_secret(Machine& machine) {
        rekey(*machine, {repo_.credentials(), KdfStrength::standard, ""});
        cases_.add("rekeyed");
    }

    void copy(Machine& machine) { copy_from_elsewhere(*machine, {}); }

    void copy_from_elsewhere(Repository& to, Names names) {
        CopyRequest request;
        request.threads = 1;
        request.names = std::move(names);
        Progress progress;
        auto const report = copy_snapshots(
            **elsewhere_, to, request, progress, [this](CopiedSnapshot const& copied) {
                bool const is_first = copied.from.id == elsewhere_->snapshot(0).id;
                acknowledge(copied.to.value().id, is_first ? sources : sources + 1);
                cases_.add("copied");
            });
        cases_.expect(report.errors.empty(), "a copy failed: " + joined(report.errors));
    }

    std::pair<SessionId, unsigned> take_one() {
        auto const which = schedule_.draw(acknowledged_.size());
        auto const at = std::next(acknowledged_.begin(), static_cast<std::ptrdiff_t>(which));
        std::pair<SessionId, unsigned> const taken = *at;
        acknowledged_.erase(at);
        return taken;
    }

    void forget_or_take_back(Machine& machine) {
        if (!forgotten_.empty() && schedule_.draw(3) == 0) return take_back(machine);
        forget_most(*machine);
    }

    // Most of what was acknowledged, taken out of what must stay before it is given up.
    void forget_most(Repository& repository) {
        std::map<SessionId, unsigned> taken;
        while (acknowledged_.size() > 1 + schedule_.draw(2)) taken.insert(take_one());
        if (taken.empty()) return;
        ForgetRequest request;
        for (auto const& [id, tree] : taken) request.names.push_back(id.hex());
        request.allow_many = true;
        Progress progress;
        forget(repository, request, progress);
        cases_.add("forgotten", taken.size());
        forgotten_.insert(forgotten_.end(), taken.begin(), taken.end());
    }

    void take_back(Machine& machine) {
        auto const [id, tree] = forgotten_.back();
        forgotten_.pop_back();
        Progress progress;
        try {
            auto const back = unforget(*machine, id.hex(), progress);
            acknowledged_[back.now.id] = tree;
            cases_.add("taken back");
        } catch (RepositoryError const& error) {
            bool const is_refusal = error.kind() == RepositoryFailure::failed ||
                                    error.kind() == RepositoryFailure::fenced ||
                                    error.kind() == RepositoryFailure::corrupt;
            if (!is_refusal || machine.has_stopped()) throw;
        }
    }

    // As if nothing had been heard of some writers for an hour.
    void declare_some_dead() {
        for (auto const& name : repo_.objects("sessions/")) {
            if (schedule_.draw(2) == 0) repo_.store().set_modified(name, 1);
        }
    }

    // --- what there must be afterwards ---

    void verify(std::string const& when) {
        repo_.reopen_elsewhere();
        auto const report = check(*repo_);
        cases_.expect(report.clean(), when + ": " + joined(report.errors));
        cases_.expect(repo_.objects("quarantine/").empty(), when + ": something was set aside");
        std::map<SessionId, Snapshot> listed;
        for (auto& named : list_snapshots(*repo_).snapshots) listed[named.id] = named.snapshot;
        for (auto const& [id, tree] : acknowledged_) {
            auto const found = listed.find(id);
            cases_.expect(found != listed.end(), when + ": " + id.hex() + " is lost");
            if (found == listed.end()) continue;
            bool const is_same =
                repo_.restored(found->second, trees_[tree].path) == trees_[tree].image;
            cases_.expect(is_same, when + ": " + id.hex() + " is another tree");
        }
    }

    Schedule schedule_;
    Trace trace_;
    Cases& cases_;
    TempFolder folder_;
    Mode const mode_ = schedule_.draw(4) == 0 ? Mode::encrypted : Mode::none;
    TestRepo repo_{mode_, {4096, 16384, 65536}};
    bool const is_deadly_ = schedule_.draw(2) == 0;  // machines stop, or are thought to have
    unsigned const busy_ = any_tree();               // saved more often than the others
    PruneRequest tidy_;
    std::vector<Tree> trees_;  // the writers' sources, then those of the copies
    std::optional<Elsewhere> elsewhere_;
    std::vector<std::function<void()>> machines_;
    std::map<SessionId, unsigned> acknowledged_;  // which tree
    std::vector<std::pair<SessionId, unsigned>> forgotten_;
};

}  // namespace

Names run_crowd(std::uint64_t step, Cases& cases) {
    SeededRandomness const randomness(step);
    return Crowd(step, cases).run();
}

}  // namespace coffre::proof
