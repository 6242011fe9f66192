// A collection from beginning to end. The order of its steps is the protocol: docs/ordering.md.
#include "engine/prune.h"

#include <algorithm>

#include "engine/maintain/bundle_merge.h"
#include "engine/maintain/checkpoint.h"
#include "engine/maintain/kept_copies.h"
#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/mark_needed.h"
#include "engine/maintain/open_sessions.h"
#include "engine/maintain/prune_plan.h"
#include "engine/maintain/remove_swept.h"
#include "engine/maintain/repack.h"
#include "engine/repository/damage_notes.h"
#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/reachable.h"
#include "engine/repository/reserve.h"
#include "engine/repository/snapshot_store.h"
#include "engine/util/clock.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr int attempts = 5;

// Another collector wrote the log record that this one was about to write.
struct Overtaken {};

class Collection {
public:
    Collection(Repository& repository, PruneRequest const& request, Progress& progress)
        : repository_(repository),
          store_(repository.store()),
          request_(request),
          progress_(progress) {}

    PruneReport run() {
        for (int attempt = 1;; ++attempt) {
            try {
                collect_all();
                report_.damaged = std::move(damaged_);
                return std::move(report_);
            } catch (Overtaken const&) {
                if (attempt < attempts) continue;
                throw RepositoryError(RepositoryFailure::failed,
                                      "other collections are at work; run prune again later");
            } catch (IndexRenewed const&) {
                if (attempt == attempts) throw;
            }
        }
    }

private:
    void collect_all() {
        if (request_.dry_run) return collect_anew();
        with_reserve(store_, [this] { collect_anew(); });
        make_reserve(store_);
        remember_log();
    }

    void collect_anew() {
        report_ = {};
        moves_later_ = false;
        collect();
        if (moves_later_ && report_.waiting_for.empty()) collect();
    }

    void collect() {
        read_log();
        if (!request_.dry_run) {
            remove_swept();
            // One whose slot is gone may seem to be of a writer that has died.
            unless_overtaken([&] { return list_all_snapshots(); });
            report_.ended_sessions += end_dead_sessions(repository_, log_, now_ns());
        }
        report_.resumed = log_.ends_in_condemn;
        if (report_.resumed) sum_up_condemned();
        bool const is_condemned =
            log_.ends_in_condemn || unless_overtaken([&] { return condemn(); });
        if (request_.dry_run) return;
        if (is_condemned && !has_every_session_ended()) return;
        if (is_condemned) unless_overtaken([&] { sweep(); });
        if (!report_.lacked_room) unless_overtaken([&] { checkpoint_if_due(); });
    }

    void read_log() { log_ = read_gc_log(store_, repository_.keys()); }

    // So that this machine misses the records if they are taken away.
    void remember_log() {
        if (log_.next_record <= repository_.local_state().log_records) return;
        repository_.keep_local_state(&progress_, [this](LocalState& state) {
            state.log_records = std::max(state.log_records, log_.next_record);
        });
    }

    // Whoever was halted may append where records were removed, which counts for nothing.
    void append(LogRecord const& record) {
        auto const number = log_.next_record;
        if (!append_to_gc_log(store_, repository_.keys(), number, record)) throw Overtaken();
        read_log();
        if (log_.next_record != number + 1) throw Overtaken();
    }

    // --- the first half: what is not needed is condemned ---

    // False when there is nothing to condemn, or this is a dry run.
    bool condemn() {
        StoreListing listed(repository_, log_);
        if (request_.dry_run) list_as_if_ended(listed);
        given_up_ = forgotten();
        auto const snapshots = list_all_snapshots();
        // What these need may have been stored since that listing.
        StoredPacks const listed_later(repository_, log_);
        require_whole_index(repository_);
        return with_sound_index(repository_, [&] {
            for (;;) {
                auto reachable = mark(listed_later, snapshots);
                auto const plan = plan_prune(repository_, log_, listed, reachable, request_);
                reachable.require_same_index();
                auto const known = noted_damaged(repository_.folder()).size();
                bool const is_sound = keeps_what_can_be_read(reachable, plan);
                reachable.require_same_index();
                if (is_sound) return condemn(reachable, plan);
                // Marked and planned again, what was found damaged counts for less.
                if (noted_damaged(repository_.folder()).size() == known) throw unreadable_copies();
                note_damage(unreadable_copies().what());
            }
        });
    }

    void note_damage(std::string const& message) {
        damaged_.push_back(message);
        progress_.report_failure("", message);
    }

    bool condemn(Reachable const& reachable, PrunePlan plan) {
        // What a run that was killed has left goes before as much is stored again.
        bool const is_first = !std::exchange(moves_later_, false);
        if (is_first && plan.has_leftovers && !plan.repack.empty() && !request_.dry_run) {
            moves_later_ = true;
            plan.repack.clear();
        }
        sums() = plan.sums;
        if (request_.on_plan) request_.on_plan(plan.sums);
        if (request_.dry_run || (plan.unneeded.empty() && plan.repack.empty())) return false;
        if (mutant("sessions-before-condemn") && !has_every_session_ended()) return false;
        moved_to_ = {repository_.index_generation(), repository_.index_view().pack_count()};
        auto const moved = move_together(plan.repack, reachable);
        sum_up(plan.repack, moved);
        if (plan.unneeded.empty() && moved.empty()) return false;
        append(condemn_record(plan.unneeded, moved));
        return true;
    }

    void list_as_if_ended(StoreListing& listed) {
        auto const dead = dead_sessions(repository_, log_, now_ns());
        listed.slots.insert(dead.begin(), dead.end());
        report_.ended_sessions = dead.size();
    }

    // A dry run reads no contents.
    bool keeps_what_can_be_read(Reachable& reachable, PrunePlan const& plan) {
        return request_.dry_run || mutant("unread-copies") ||
               are_kept_copies_sound(repository_, reachable, plan, progress_);
    }

    static RepositoryError unreadable_copies() {
        return corrupt(
            "a chunk that is needed cannot be read where it would be kept: see `repo check "
            "--read-data`");
    }

    SnapshotList list_all_snapshots() {
        auto list = list_snapshots(repository_);
        if (request_.dry_run) leave_out_as_if_forgotten(list);
        if (!list.damaged.empty() && !mutant("unreadable-is-unneeded")) {
            throw corrupt(list.damaged[0] +
                          "; nothing is removed, since what it needs is "
                          "not known: see `repo check`");
        }
        require_none(lost_before(repository_, list, log_));
        return list;
    }

    void leave_out_as_if_forgotten(SnapshotList& list) const {
        auto const& going = request_.as_if_forgotten;
        std::erase_if(list.snapshots, [&](auto const& named) { return going.contains(named.id); });
        for (auto const& id : going) {
            std::erase_if(list.damaged, [&](std::string const& text) {
                return text.starts_with(names::snapshot(id));
            });
        }
    }

    // One whose slot is gone may come back, from a copy of the repository.
    void require_none(LostSnapshots const& lost) {
        if (lost.empty() || mutant("lost-is-unneeded")) return;
        if (has_log_grown(store_, log_)) throw Overtaken();
        throw corrupt(describe_lost(*lost.begin()) +
                      "; nothing is removed until it is back, or given up by "
                      "`repo repair --apply`");
    }

    Reachable mark(StoredPacks const& listed, SnapshotList const& list) {
        require_none(lost_owners(repository_, list, log_));
        return mark_needed(repository_, log_, listed, list.snapshots, progress_);
    }

    // What is not there may have been moved or replaced meanwhile, by another collector.
    template <class Action>
    std::invoke_result_t<Action> unless_overtaken(Action const& action) {
        try {
            return action();
        } catch (RepositoryError const& error) {
            if (error.kind() == RepositoryFailure::corrupt && has_log_grown(store_, log_))
                throw Overtaken();
            throw;
        }
    }

    // A full disk is a reason to remove what can be, not to give up.
    std::vector<PackUse> move_together(std::vector<PackUse> const& packs,
                                       Reachable const& reachable) {
        try {
            return repack_sound(packs, reachable);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::no_space) throw;
            report_.lacked_room = true;
            progress_.report_failure("", std::string(error.what()) +
                                             "; partly needed packs stay as they are: make room, "
                                             "or run prune again while it removes any");
        }
        return release_reserve(store_) ? move_into_reserve(packs, reachable)
                                       : std::vector<PackUse>{};
    }

    // What is damaged stays where it is.
    std::vector<PackUse> repack_sound(std::vector<PackUse> const& packs,
                                      Reachable const& reachable) {
        auto done = repack(repository_, packs, reachable, request_, progress_);
        for (auto const& message : done.damaged) note_damage(message);
        return std::move(done.moved);
    }

    // What this frees is room for more, by the next run.
    std::vector<PackUse> move_into_reserve(std::vector<PackUse> const& packs,
                                           Reachable const& reachable) {
        std::vector<PackUse> little;
        std::uint64_t needed = 0;
        for (auto const& use : packs) {
            if (use.unused == 0 || needed + use.needed > reserve_size / 2) continue;
            needed += use.needed;
            little.push_back(use);
        }
        try {
            return repack_sound(little, reachable);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::no_space) throw;
            return {};
        }
    }

    void sum_up_condemned() {
        for (auto const& [id, size] : StoredPacks(repository_, log_)) {
            ++report_.total.packs;
            report_.total.bytes += size;
            if (!log_.condemned.contains(id)) continue;
            ++report_.unneeded.packs;
            report_.unneeded.bytes += size;
        }
        report_.frees = report_.unneeded.bytes;
        if (request_.on_plan) request_.on_plan(sums());
    }

    // Not all that was planned may have been moved.
    void sum_up(std::vector<PackUse> const& planned, std::vector<PackUse> const& moved) {
        report_.repacked = report_.postponed = {};
        for (auto const& use : planned) {
            report_.unused += use.unused;
            report_.postponed.bytes += use.needed;
        }
        for (auto const& use : moved) {
            ++report_.repacked.packs;
            report_.repacked.bytes += use.needed;
            report_.unused -= use.unused;
        }
        report_.postponed.packs = planned.size() - moved.size();
        report_.postponed.bytes -= report_.repacked.bytes;
    }

    PruneSums& sums() { return report_; }

    static LogRecord condemn_record(std::vector<PackId> const& unneeded,
                                    std::vector<PackUse> const& moved) {
        LogRecord record{LogKind::condemn, unneeded, {}, {}};
        for (auto const& use : moved) record.packs.push_back(use.id);
        std::sort(record.packs.begin(), record.packs.end());
        return record;
    }

    // --- in between: whoever may not have seen that record has ended ---

    bool has_every_session_ended() {
        if (mutant("no-wait")) return true;
        if (mutant("sessions-before-condemn") && log_.ends_in_condemn) return true;
        report_.ended_sessions += end_dead_sessions(repository_, log_, now_ns());
        auto const open = sessions_to_wait_for();
        if (!open.empty() && log_.ends_in_condemn && !log_.waits_for) append(wait_record(open));
        for (auto const& session : open) {
            report_.waiting_for.push_back(describe(repository_, session));
        }
        return report_.waiting_for.empty();
    }

    // Whoever began after the first listing that followed the condemn record has seen that record.
    std::vector<SessionsListing::Open> sessions_to_wait_for() {
        auto open = list_sessions(repository_, log_).open;
        if (log_.waits_for) {
            std::erase_if(
                open, [&](auto const& session) { return !log_.waits_for->contains(session.id); });
        }
        return open;
    }

    static LogRecord wait_record(std::vector<SessionsListing::Open> const& open) {
        LogRecord record{LogKind::wait, {}, {}, {}};
        for (auto const& session : open) record.slots.push_back(session.id);
        return record;
    }

    // --- the second half: what is still not needed is removed ---

    void sweep() {
        if (report_.resumed) given_up_ = forgotten();
        auto const snapshots = list_all_snapshots();
        StoredPacks const listed(repository_, log_);
        require_whole_index(repository_);
        LogRecord record{LogKind::sweep, {}, {}, {}};
        with_sound_index(repository_, [&] { record.packs = still_unneeded(listed, snapshots); });
        std::set<PackId> const going(record.packs.begin(), record.packs.end());
        record.bundles = merge_bundles(repository_, MergeFor::collection, [&](PackId const& pack) {
            return going.contains(pack) || log_.is_swept(pack);
        });
        if (mutant("unlogged-sweep")) log_.add_swept(record.packs);
        if (!mutant("unlogged-sweep")) append(record);
        remove_swept();
        // On this machine there is nothing to look for in packs that are gone.
        repository_.refresh_index();
    }

    // What the snapshots of now need is looked for elsewhere first.
    std::vector<PackId> still_unneeded(StoredPacks const& listed, SnapshotList const& snapshots) {
        Reachable reachable = mark(listed, snapshots);
        keep_bases_of_pardoned(reachable, repository_);
        Index::View const view = repository_.index_view();
        std::vector<PackId> unneeded;
        for (auto const& pack : log_.condemned) {
            auto const number = view.number(pack);
            bool const is_needed = number && reachable.is_needed(*number);
            if (!is_needed || mutant("no-relist")) unneeded.push_back(pack);
        }
        reachable.require_same_index();
        if (mutant("unread-copies")) return unneeded;
        auto const is_new = [&](PackNumber pack) { return is_of_this_run(view, pack); };
        auto replaced = without_only_copies(repository_, reachable, unneeded, is_new, progress_);
        reachable.require_same_index();
        return replaced;
    }

    // Numbers ascend while the index is the same; packs of collections have no session.
    bool is_of_this_run(Index::View const& view, PackNumber pack) {
        return moved_to_ && moved_to_->generation == repository_.index_generation() &&
               pack >= moved_to_->first && view.pack(pack).session.is_zero();
    }

    // Exactly what the log says, whoever wrote that.
    void remove_swept() {
        auto const swept = remove_what_was_swept(repository_, log_, progress_);
        report_.removed.packs += swept.packs;
        report_.removed.bytes += swept.bytes;
    }

    std::set<SessionId> forgotten() {
        std::vector<std::string> damaged;
        auto given_up = read_forgets(repository_, damaged);
        if (!damaged.empty()) throw corrupt(damaged[0]);
        return given_up;
    }

    void checkpoint_if_due() {
        auto const record = due_checkpoint(repository_, log_, given_up_, request_);
        if (!record) return;
        auto const first = log_.first_needed();
        append(*record);
        remove_swept();
        remove_records_before(store_, mutant("keep-one-checkpoint") ? log_.first_needed() : first,
                              progress_);
    }

    Repository& repository_;
    Backend& store_;
    PruneRequest const& request_;
    Progress& progress_;
    GcState log_;
    struct NewPacks {
        std::uint64_t generation = 0;
        PackNumber first = 0;
    };
    std::optional<NewPacks> moved_to_;  // by this run
    bool moves_later_ = false;          // what is left of another run is removed first
    std::set<SessionId> given_up_;      // before the marks: these keep none of their packs
    PruneReport report_;
    std::vector<std::string> damaged_;  // met in any attempt
};

}  // namespace

PruneReport prune(Repository& repository, PruneRequest const& request, Progress& progress) {
    return Collection(repository, request, progress).run();
}

}  // namespace coffre
