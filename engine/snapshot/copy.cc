#include "engine/copy.h"

#include <algorithm>

#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/session.h"
#include "engine/repository/snapshot_store.h"
#include "engine/snapshot/arrivals.h"
#include "engine/snapshot/chain.h"
#include "engine/snapshot/parent.h"
#include "engine/snapshot/save.h"
#include "engine/snapshot/tree_replay.h"
#include "engine/util/clock.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t read_cache = 16 * limits::mib;
constexpr std::int64_t in_turn_ns = std::int64_t{100} * 24 * 3600 * second_ns;

// One snapshot's way into the repository `to`: a session like any other writer's. `there` is what
// `to` has; null where only what the snapshot needs is wanted: then it is given up before it is
// there.
class CopyRun {
public:
    CopyRun(Repository& from, Repository& to, CopyRequest const& request, Arrivals* there,
            Progress& progress)
        : from_(from),
          to_(to),
          request_(request),
          there_(there),
          progress_(progress),
          session_(to.store(), to.keys()),
          log_(read_gc_log(to.store(), to.keys())) {}

    // After a failure: whether it was met while an earlier copy was compared with, and all can be
    // begun anew.
    bool may_do_without_before() const { return compares_ && !publishes_; }

    // Compares with none. No tree that `to` has is used again.
    NamedSnapshot copy_anew(NamedSnapshot const& source) {
        to_.refresh_index();
        distrust_trees(to_, log_);
        return copy(source, {});
    }

    // Returns the copy, or what is there by now and shows the same. `earlier`: snapshots that were
    // copied before, the newest last.
    NamedSnapshot copy(NamedSnapshot const& source, std::vector<CopiedSnapshot> const& earlier) {
        auto const before = choose_before(source.snapshot, earlier);
        compares_ = before.has_value();
        auto const generation = to_.index_generation();
        Snapshot snapshot = source.snapshot;
        snapshot.was.reset();
        snapshot.parent.reset();
        if (before) snapshot.parent = before->to->id;
        Publisher publisher(to_, session_.id(), claimed_);
        SaveOptions const options{session_.id(), request_.compression_level, request_.threads,
                                  false};
        auto saved = Saving(to_, log_, claimed_, publisher)
                         .save(options, [&](auto const& pool, auto const& hand_on) {
                             replay(source.snapshot, before, pool, hand_on);
                         });
        if (saved.root.digest != source.snapshot.root.digest) {
            throw corrupt("its tree reads back with other contents");
        }
        snapshot.root = std::move(saved.root);
        snapshot.statistics = saved.statistics;
        // Another run may have copied the same meanwhile. What this one has stored is collected.
        auto const* const twin =
            there_ != nullptr ? there_->live_twin_of(source.snapshot) : nullptr;
        if (twin != nullptr) return *twin;
        publishes_ = true;
        continue_chain(to_, snapshot);
        if (there_ == nullptr) put_forgets(to_, {session_.id()}, reason_of_repair);
        publisher.publish(snapshot, saved.reused);
        session_.has_published(progress_);
        remember_published(to_, session_.id(), snapshot, log_, progress_);
        note_whole(to_, generation, session_.id(), snapshot.parent);
        return {session_.id(), std::move(snapshot)};
    }

private:
    std::optional<CopiedSnapshot> choose_before(Snapshot const& snapshot,
                                                std::vector<CopiedSnapshot> const& earlier) {
        auto const found = std::find_if(earlier.rbegin(), earlier.rend(), [&](auto const& pair) {
            Snapshot const& candidate = pair.from.snapshot;
            return candidate.host == snapshot.host && candidate.paths == snapshot.paths &&
                   (is_live(to_, pair.to->id, log_) || mutant("copy-on-collected"));
        });
        std::optional<NamedSnapshot> here;
        if (found != earlier.rend()) here = found->to;
        if (!usable_parent(to_, std::move(here), log_, progress_)) return std::nullopt;
        return *found;
    }

    void replay(Snapshot const& snapshot, std::optional<CopiedSnapshot> const& before,
                std::shared_ptr<PagePool> const& pool, std::function<void(Batch)> const& hand_on) {
        Splitter split(to_.chunker(), pool, hand_on);
        ChunkReader reader(from_, read_cache);
        ChunkReader here(to_, tree_cache);
        std::optional<CopiedTree> tree;
        if (before) {
            tree.emplace(CopiedTree{
                before->from.snapshot.root, before->to->snapshot.root, here, [&](Node const& node) {
                    return !log_.ends_in_condemn || is_usable(here, log_, node.content);
                }});
        }
        TreeReplay(reader, tree ? &*tree : nullptr, split, progress_).replay(snapshot);
    }

    Repository& from_;
    Repository& to_;
    CopyRequest const& request_;
    Arrivals* const there_;
    Progress& progress_;
    Session session_;
    GcState log_;
    ClaimedChunks claimed_;
    bool compares_ = false;
    bool publishes_ = false;
};

using OnCopied = std::function<void(CopiedSnapshot const&)>;

class Copying {
public:
    Copying(Repository& from, Repository& to, CopyRequest const& request, Progress& progress)
        : from_(from), to_(to), request_(request), progress_(progress), there_(to) {}

    CopyReport run(OnCopied const& on_copied) {
        auto const missing = find_missing();
        for (auto const& named : missing) {
            progress_.total_files += named.snapshot.statistics.files;
            progress_.total_bytes += named.snapshot.statistics.bytes;
        }
        for (auto const& named : missing) {
            CopiedSnapshot copied{named, std::nullopt, false};
            if (!request_.dry_run && !copy_if_missing(copied)) continue;
            if (on_copied) on_copied(copied);
            report_.copied.push_back(std::move(copied));
        }
        if (request_.heal) heal(on_copied);
        if (!request_.dry_run && !earlier_.empty()) remember_copies();
        return std::move(report_);
    }

private:
    // Those that `to` lacks, oldest first.
    std::vector<NamedSnapshot> find_missing() {
        auto wanted = chosen();
        for (auto const& message : wanted.damaged) note(message);
        for (auto const& message : there_.list()) note(message);
        std::vector<NamedSnapshot> missing;
        for (auto& named : wanted.snapshots) {
            if (!note_if_there(named, there_.twin_of(named.snapshot)))
                missing.push_back(std::move(named));
        }
        return missing;
    }

    bool note_if_there(NamedSnapshot const& named, NamedSnapshot const* twin) {
        if (twin == nullptr) return false;
        ++report_.were_there;
        earlier_.push_back({named, *twin, false});
        return true;
    }

    // Another run may have copied the same meanwhile.
    bool copy_if_missing(CopiedSnapshot& copied) {
        if (note_if_there(copied.from, there_.live_twin_of(copied.from.snapshot))) return false;
        if (!copy_or_note(copied, &there_)) return false;
        earlier_.push_back(copied);
        bool const is_new = there_.add(*copied.to);
        if (!is_new) ++report_.were_there;
        return is_new;
    }

    SnapshotList chosen() {
        auto list = list_snapshots(from_);
        if (request_.names.empty()) {
            std::erase_if(list.snapshots, [&](NamedSnapshot const& named) {
                return !request_.filter.matches(named.snapshot);
            });
            return list;
        }
        std::set<SessionId> wanted;
        for (auto const& name : request_.names) {
            wanted.insert(find_whole_snapshot(list, name, request_.filter).id);
        }
        std::erase_if(list.snapshots,
                      [&](NamedSnapshot const& named) { return !wanted.contains(named.id); });
        list.damaged.clear();
        return list;
    }

    // False when the snapshot is not whole.
    bool copy_or_note(CopiedSnapshot& copied, Arrivals* there) {
        try {
            copied.to = with_sound_index(to_, [&] { return copy(copied.from, there); });
            return true;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            if (is_given_up(from_, copied.from.id)) {
                progress_.report_failure(
                    "", "snapshot " + copied.from.id.hex() + " was forgotten while it was copied");
                return false;
            }
            note("snapshot " + copied.from.id.hex() + " is not copied: " + error.what());
            return false;
        }
    }

    // The newest first: often it has what the others lack.
    void heal(OnCopied const& on_copied) {
        GcState log = read_gc_log(to_.store(), to_.keys());
        WholeFolders known;
        with_sound_index(to_, [&] { note_lost_packs(to_, log, progress_); });
        auto const is_hurt = [&](NamedSnapshot const& here) {
            return with_sound_index(
                to_, [&] { return !lacks_nothing(to_, here.snapshot, log, known, progress_); });
        };
        auto const there = earlier_;
        for (auto pair = there.rbegin(); pair != there.rend(); ++pair) {
            if (!is_hurt(*pair->to)) continue;
            CopiedSnapshot healed = *pair;
            healed.is_healed = true;
            if (!request_.dry_run) {
                if (!copy_for_its_chunks(pair->from)) continue;
                known.clear();
                with_sound_index(to_, [&] { note_lost_packs(to_, log, progress_); });
                if (is_hurt(*pair->to)) {
                    note("snapshot " + pair->to->id.hex() + " is still hurt");
                    continue;
                }
            }
            ++report_.healed;
            if (on_copied) on_copied(healed);
        }
    }

    bool copy_for_its_chunks(NamedSnapshot const& source) {
        CopiedSnapshot copied{source, std::nullopt, false};
        return copy_or_note(copied, nullptr);
    }

    NamedSnapshot copy(NamedSnapshot const& named, Arrivals* there) {
        try {
            return copy_once(named, there);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            progress_.report_failure("", std::string(error.what()) + "; trying once more");
        }
        return copy_once(named, there);
    }

    // Damage of an earlier snapshot, in either repository, is no reason to copy nothing.
    NamedSnapshot copy_once(NamedSnapshot const& named, Arrivals* there) {
        CopyRun run(from_, to_, request_, there, progress_);
        try {
            return run.copy(named, earlier_);
        } catch (RepositoryError const& error) {
            bool const may_go_on = error.kind() == RepositoryFailure::corrupt &&
                                   run.may_do_without_before() && !is_given_up(from_, named.id);
            if (!may_go_on) throw;
            progress_.report_failure("", std::string(error.what()) +
                                             "; the snapshot is copied without comparing it with "
                                             "the one before");
        }
        return CopyRun(from_, to_, request_, there, progress_).copy_anew(named);
    }

    void remember_copies() {
        from_.keep_local_state(&progress_, [this](LocalState& state) {
            CopyElsewhere& copy = state.copies[to_.id()];
            copy.destination = request_.destination;
            copy.copied_ns = now_ns();
            // Of disks in turn each is there again before long; else another was made in its place.
            std::erase_if(state.copies, [&](auto const& known) {
                return known.second.destination == request_.destination &&
                       copy.copied_ns - known.second.copied_ns > in_turn_ns;
            });
            if (copy.time_ns > copy.copied_ns) copy.time_ns = 0;
            for (auto const& pair : earlier_) {
                std::int64_t const shown = shown_ns(pair.from.snapshot);
                if (shown <= copy.copied_ns) copy.time_ns = std::max(copy.time_ns, shown);
            }
        });
    }

    void note(std::string const& message) {
        report_.errors.push_back(message);
        progress_.report_failure("", message);
    }

    Repository& from_;
    Repository& to_;
    CopyRequest const& request_;
    Progress& progress_;
    Arrivals there_;                       // in `to`
    std::vector<CopiedSnapshot> earlier_;  // oldest first
    CopyReport report_;
};

}  // namespace

CopyReport copy_snapshots(Repository& from, Repository& to, CopyRequest const& request,
                          Progress& progress,
                          std::function<void(CopiedSnapshot const&)> const& on_copied) {
    if (from.id() == to.id()) {
        throw RepositoryError(RepositoryFailure::failed,
                              "both are the same repository, or one is a file copy of the other");
    }
    return Copying(from, to, request, progress).run(on_copied);
}

}  // namespace coffre
