#include "engine/check.h"

#include <algorithm>
#include <mutex>

#include "engine/maintain/check_reads.h"
#include "engine/maintain/log_repair.h"
#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/pack_reads.h"
#include "engine/maintain/small_objects.h"
#include "engine/maintain/tree_check.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/util/workers.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr int check_attempts = 5;

// What a collection removed meanwhile looks like damage.
struct CollectedMeanwhile {};

class Checker {
public:
    // `so_far` are the reads of earlier attempts, and gets those of this one.
    Checker(Repository& repository, CheckRequest const& request, CheckReads& so_far,
            Progress& progress)
        : repository_(repository), request_(request), so_far_(so_far), progress_(progress) {}

    CheckReport run() {
        try {
            check_all();
        } catch (...) {
            // What was read until then counts.
            bool const has_read = reads_.has_value();
            reads_.reset();
            if (has_read) so_far_.save(readable_);
            throw;
        }
        so_far_.finish(report_, readable_, reads_.has_value());
        return std::move(report_);
    }

private:
    void check_all() {
        read_log();
        check_small_objects();
        check_bundles();
        check_packs();
        // Packs are read while the trees are walked.
        if (request_.depth == CheckDepth::read_data) begin_reading();
        check_snapshots();
        if (reads_) reads_->finish();
        recall_damage();
        if (is_overtaken_ && report_.errors.empty()) throw CollectedMeanwhile();
        if (is_overtaken_) {
            report_.warnings.emplace_back(
                "the repository was collected meanwhile: there may be more damage than this");
        }
    }

    void read_log() {
        std::string damage;
        try {
            log_ = read_gc_log(repository_.store(), repository_.keys());
            knows_log_ = true;
        } catch (RepositoryError const& error) {
            if (!is_of_one_object(error.kind())) throw;
            damage = error.what();
        }
        // Records that a checkpoint repeats are read by nobody else.
        bool const is_whole = knows_log_ && !log_.has_strays &&
                              log_.next_record >= repository_.local_state().log_records;
        if (!is_whole || request_.depth == CheckDepth::read_data) guarded([&] { examine_log(); });
        // It may have been mended meanwhile, and may not be readable for this user.
        if (!damage.empty() && report_.errors.empty()) note(damage);
    }

    void examine_log() {
        for (auto const& message : look_at_gc_log(repository_).messages) note(message);
    }

    // What is wrong with one object, the one of this name if there is one, is noted; everything
    // else ends the command.
    template <class Action>
    bool guarded(Action const& action, std::string const& name = "") {
        try {
            action();
            return true;
        } catch (RepositoryError const& error) {
            if (!is_of_one_object(error.kind())) throw;
            note(error.what(), name);
            return false;
        }
    }

    // A collection may remove it after it was listed.
    template <class Action>
    void unless_removed(ObjectInfo const& object, Action const& action) {
        auto const unless = [&] {
            try {
                action();
            } catch (RepositoryError const&) {
                if (repository_.store().stat(object.name)) throw;
            }
        };
        guarded(unless, object.name);
    }

    // A collection explains what is gone, not what is wrong with an object that is there.
    void note(std::string const& message, std::string const& name = "") {
        std::lock_guard const lock(note_mutex_);
        if (!noted_.insert(message).second) return;
        bool const is_there = !name.empty() && repository_.store().stat(name);
        if (!is_there) {
            is_overtaken_ = is_overtaken_ || is_collected_meanwhile();
            if (is_overtaken_) return;
        }
        report_.errors.push_back(message);
        if (report_.errors.size() <= most_errors_shown) progress_.report_failure("", message);
    }

    bool is_collected_meanwhile() const {
        try {
            return knows_log_ && has_log_grown(repository_.store(), log_);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            return false;  // it is itself what is damaged
        }
    }

    void check_small_objects() {
        for (auto const* const folder : small_object_folders) {
            for (auto const& object : repository_.store().list(folder)) {
                unless_removed(object, [&] { examine_small_object(repository_, object.name); });
            }
        }
    }

    // Reads every bundle anew: what the index once took from them is not evidence.
    void check_bundles() {
        for (auto const& object : repository_.store().list("bundles/")) {
            progress_.check_stop();
            auto const read = [&] {
                for (auto const& row :
                     read_bundle(repository_.store(), repository_.keys(), object.name)) {
                    naming(object.name, [&] { add_row(row); });
                }
            };
            // What was replaced is removed without a further record of the log.
            auto const id = BundleId::parse(last_component(object.name));
            bool const is_replaced = id && log_.replaced.contains(*id);
            if (is_replaced) {
                unless_removed(object, read);
            } else {
                guarded(read, object.name);
            }
        }
    }

    void add_row(BundleRow const& row) {
        ExpectedPack const expected{row.pack_size, xxh3(row.directory), row.session};
        if (decode_pack_directory(row.directory).blocks.empty())
            throw FormatError("a pack without blocks");
        expected_.insert_or_assign(row.pack, expected);
    }

    void check_packs() {
        PackSizes present;
        repository_.store().each("packs/", [&](ObjectInfo const& object) {
            if (auto const id = names::pack_of(object.name)) {
                present[*id] = object.size;
            } else {
                note(object.name + ": not a pack's name");
            }
        });
        for (auto const& [pack, expected] : expected_) {
            if (log_.is_swept(pack)) continue;
            auto const found = present.find(pack);
            if (found == present.end()) {
                note(names::pack(pack) + ": is missing");
                lost_.insert(pack);
            } else if (found->second != expected.size) {
                note(names::pack(pack) + ": has " + std::to_string(found->second) +
                         " bytes, expected " + std::to_string(expected.size),
                     names::pack(pack));
            }
        }
        for (auto const& [pack, size] : present) {
            ++report_.packs;
            report_.pack_bytes += size;
            if (!expected_.contains(pack)) unlisted_.insert(pack);
            if (!log_.is_swept(pack)) readable_.emplace(pack, size);
        }
        note_unlisted();
    }

    // A pack without bundle is what an interrupted run leaves, unless chunks turn out to be
    // missing.
    void note_unlisted() {
        if (unlisted_.empty()) return;
        report_.warnings.push_back(std::to_string(unlisted_.size()) +
                                   " packs are in no bundle, such as " +
                                   names::pack(*unlisted_.begin()) +
                                   ": left by an interrupted run, or their bundle is lost");
    }

    void check_snapshots() {
        SnapshotList list;
        if (!guarded([&] { list = list_snapshots(repository_); })) return;
        for (auto const& message : list.damaged) note(message);
        guarded([&] { repository_.refresh_index(); });
        for (auto const& [name, what] : repository_.damaged_bundles()) note(what, name);
        guarded([&] { with_sound_index(repository_, [&] { check_trees(list.snapshots); }); });
        check_slots(list);
    }

    void check_trees(std::vector<NamedSnapshot> const& snapshots) {
        ChunkReader reader(repository_, tree_cache);
        TreeCheck trees(
            reader, [this](ChunkReader& from, ChunkId const& id) { require_place(from, id); },
            [this](HurtEntry const& entry) {
                note(names::snapshot(entry.snapshot.id) + ":" +
                     (entry.path.empty() ? "/" : entry.path) + ": " + entry.message);
            },
            TreeCheck::Shared::once, progress_);
        for (auto const& named : snapshots) trees.check(named);
        report_.snapshots = snapshots.size();
        report_.trees = trees.directories();
        report_.files = trees.files();
    }

    void require_place(ChunkReader& reader, ChunkId const& id) const {
        auto const places = reader.locate(id);
        bool const is_there =
            std::any_of(places.begin(), places.end(), [&](ChunkPlace const& place) {
                return !lost_.contains(reader.view().pack(place.pack).id);
            });
        if (is_there) return;
        throw corrupt("chunk " + id.hex() + " was in a pack that is missing");
    }

    void check_slots(SnapshotList const& list) {
        if (!has_newest_seen(repository_.keys(), repository_.local_state())) {
            note(std::string("keys/: the newest master secret that this machine has seen is gone") +
                 accept_rollback_hint);
        }
        LostSnapshots lost;
        with_sound_index(repository_, [&] { lost = lost_snapshots(repository_, list, log_); });
        for (auto const& one : lost) note(describe_lost(one));
        for (auto const& one : lost_heads(repository_, log_)) {
            note(describe_lost(one) + accept_rollback_hint);
        }
    }

    void begin_reading() {
        auto packs = so_far_.plan(readable_);
        for (auto const& pack : packs) progress_.total_bytes += readable_.at(pack);
        reads_.emplace(repository_, expected_, worker_count(request_.threads), progress_,
                       [this](PackReading const& reading) { add(reading); });
        reads_->begin(std::move(packs), [this] { return so_far_.time_to_begin(); });
    }

    void add(PackReading const& reading) {
        if (!reading.denied.empty()) note(reading.denied, names::pack(reading.pack));
        if (!reading.begun_s) return;
        for (auto const& message : reading.errors) note(message, names::pack(reading.pack));
        so_far_.add(reading, readable_);
    }

    // What an earlier check found goes on until the pack is mended, or read and found sound.
    void recall_damage() {
        for (auto const& [pack, size] : readable_) {
            if (!so_far_.was_damaged_before(pack)) continue;
            note(names::pack(pack) + ": was damaged when it was last read", names::pack(pack));
        }
    }

    Repository& repository_;
    CheckRequest const& request_;
    CheckReads& so_far_;
    Progress& progress_;
    CheckReport report_;  // its errors by note_mutex_
    std::mutex note_mutex_;
    std::set<std::string> noted_;  // by note_mutex_
    bool is_overtaken_ = false;    // by note_mutex_
    bool knows_log_ = false;
    GcState log_;
    std::map<PackId, ExpectedPack> expected_;  // by the bundles
    PackSizes readable_;                       // those that are there and should be
    std::set<PackId> lost_;
    std::set<PackId> unlisted_;
    std::optional<PackReads> reads_;  // ends before what it reads from
};

}  // namespace

CheckReport check_repository(Repository& repository, CheckRequest const& request,
                             Progress& progress) {
    CheckReads so_far(repository.folder(), request);
    for (int attempt = 1; attempt <= check_attempts; ++attempt) {
        try {
            return Checker(repository, request, so_far, progress).run();
        } catch (CollectedMeanwhile const&) {
            progress.report_failure("", "the repository was collected meanwhile; looking again");
        }
    }
    throw RepositoryError(RepositoryFailure::failed,
                          "the repository is collected all the time; run the check again later");
}

CheckReport check_repository(Repository& repository, CheckDepth depth, unsigned threads,
                             Progress& progress) {
    CheckRequest request;
    request.depth = depth;
    request.threads = threads;
    return check_repository(repository, request, progress);
}

}  // namespace coffre
