// A repair from beginning to end. Why it harms nobody else: docs/ordering.md, "Repair".
#include "engine/repair.h"

#include <algorithm>

#include "engine/maintain/bundle_merge.h"
#include "engine/maintain/hurt_paths.h"
#include "engine/maintain/inspection.h"
#include "engine/maintain/log_repair.h"
#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/open_sessions.h"
#include "engine/maintain/quarantine.h"
#include "engine/maintain/salvage.h"
#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/reserve.h"
#include "engine/repository/session.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

class Repair {
public:
    Repair(Repository& repository, RepairRequest const& request, Progress& progress)
        : repository_(repository),
          store_(repository.store()),
          request_(request),
          progress_(progress) {}

    RepairReport run() {
        // Announced before the log is read: a collection waits for this, or had condemned before.
        if (request_.apply && !mutant("repair-unannounced"))
            session_.emplace(store_, repository_.keys());
        try {
            look_and_mend();
        } catch (RepositoryError const& error) {
            // What a session that was ended had relied on may be gone.
            if (error.kind() == RepositoryFailure::corrupt) require_session();
            throw;
        }
        return std::move(found_.report);
    }

private:
    // Once it was ended, a collection may remove what this has stored and counts on.
    void require_session() {
        if (session_) require_open(store_, repository_.keys(), session_->id());
    }

    void look_and_mend() {
        look_at_log();
        look_at_objects();
        tell();
        if (request_.apply) mend();
        look_at_trees();
        tell();
    }

    void tell() {
        for (auto const& message : found_.noted) progress_.report_failure("", message);
        found_.noted.clear();
    }

    // --- what is wrong ---

    // Everything else needs the log, so it is mended first.
    void look_at_log() {
        do {
            progress_.check_stop();
            log_damage_ = look_at_gc_log(repository_);
            if (!request_.apply || log_damage_.messages.empty()) return;
        } while (!mend_gc_log(repository_, log_damage_));
    }

    bool knows_log() const { return request_.apply || log_damage_.messages.empty(); }

    GcState read_log() const {
        return knows_log() ? read_gc_log(store_, repository_.keys()) : log_damage_.state();
    }

    bool has_grown() const { return knows_log() && has_log_grown(store_, log_); }

    // A collection that had condemned before goes on meanwhile: what it removes is not damaged.
    void look_at_objects() {
        do {
            log_ = read_log();
            found_ = inspect(repository_, request_, log_, returned_, progress_);
        } while ((found_.is_overtaken || !found_.noted.empty()) && has_grown());
        for (auto const& message : log_damage_.messages)
            found_.note(&RepairReport::damaged_log, message);
        for (auto const& message : log_damage_.staying)
            found_.note(&RepairReport::beyond_repair, message);
    }

    // --- what is done about it ---

    // Each step leaves a repository that is no worse than before it.
    void mend() {
        add_rows_of_packs();
        if (!found_.bad.empty() && !mutant("no-salvage")) {
            auto const salvaged = with_sound_index(repository_, [&] {
                return salvage(repository_, log_, found_.bad, unreadable(), progress_);
            });
            found_.report.chunks_saved = salvaged.saved;
            found_.report.chunks_lost = salvaged.lost;
        }
        end_damaged_sessions();
        set_aside();
        require_session();
        while (set_rows_aside()) continue;
        require_session();
        repository_.refresh_index();
        found_.bad.clear();
    }

    // Before their records go: nobody may rely on what a session that is open and not listed needs.
    void end_damaged_sessions() {
        if (mutant("unended-session")) return;
        for (auto const& name : found_.going) {
            auto const id = name.starts_with("sessions/") ? session_of(name) : std::nullopt;
            if (id && !says_published(name) && !log_.closed.contains(*id))
                end_session(store_, repository_.keys(), *id);
        }
    }

    // False when no bundle names a bad pack: a collection may have written one anew meanwhile.
    bool set_rows_aside() {
        if (found_.bad.empty()) return false;
        auto const replaced =
            merge_bundles(repository_, MergeFor::repair,
                          [this](PackId const& id) { return found_.bad.contains(id); });
        for (auto const& bundle : replaced) quarantine(store_, names::bundle(bundle));
        return !replaced.empty();
    }

    // Also of damaged ones: what can be read of them is looked for by their directories.
    void add_rows_of_packs() {
        OpenBundle rows;
        for (auto const& id : found_.without_bundle) {
            if (auto row = row_of(id)) rows.add(std::move(*row));
            if (rows.is_full(packs_per_merged_bundle)) add_bundle(rows.take());
        }
        if (!rows.empty()) add_bundle(rows.take());
        found_.without_bundle.clear();
        repository_.refresh_index();
    }

    // A collection that has ended this session may have removed its packs, and no checkpoint name
    // them any more.
    void add_bundle(Bundle const& rows) {
        require_session();
        put_bundle(store_, repository_.keys(), rows);
    }

    std::optional<BundleRow> row_of(PackId const& id) {
        std::string const name = names::pack(id);
        try {
            Bytes const bytes = get_whole(store_, name, limits::pack_size);
            // Its writer may not have synced its name: the bundle's barrier does, once it is
            // listed.
            store_.list(name.substr(0, name.rfind('/') + 1));
            auto const pack = found_.bad.contains(id)
                                  ? open_pack(repository_.keys(), name, bytes)
                                  : verify_pack(repository_.keys(), name, bytes);
            return BundleRow{id, pack.header.session, bytes.size(),
                             encode_pack_directory(pack.directory)};
        } catch (RepositoryError const& error) {
            // What was sound a moment ago must not be passed over, unless a collection took it that
            // had condemned before.
            bool const is_collected = log_.condemned.contains(id) && !store_.stat(name);
            bool const is_bad = found_.bad.contains(id);
            // Of a bad one the version may be what is damaged.
            bool const is_damage = error.kind() == RepositoryFailure::corrupt ||
                                   (is_bad && error.kind() == RepositoryFailure::unusable);
            if (!is_damage || !(is_bad || is_collected)) throw;
            return std::nullopt;
        }
    }

    void set_aside() {
        for (auto const& name : found_.going) {
            if (!mutant("ended-repair")) require_session();
            try {
                move_away(name);
            } catch (RepositoryError const& error) {
                bool const ends = error.kind() == RepositoryFailure::no_space ||
                                  error.kind() == RepositoryFailure::fenced;
                if (ends) throw;
                ++found_.report.unmoved;
                found_.note(&RepairReport::beyond_repair,
                            std::string(error.what()) + "; it stays where it is");
            }
        }
    }

    // A collection that has ended this session meanwhile, after a halt of hours, may have counted
    // on what could still be read there.
    void move_away(std::string const& name) {
        Bytes const moved = quarantine(store_, name);
        try {
            if (!mutant("ended-repair")) require_session();
        } catch (RepositoryError const&) {
            if (!moved.empty()) store_.put(name, moved);
            store_.barrier();
            throw;
        }
    }

    // --- what is lost ---

    void look_at_trees() {
        SnapshotList list;
        LostSnapshots lost;
        std::vector<HurtPath> hurt;
        do {
            log_ = read_log();
            list = list_snapshots(repository_);
            lost = lost_now(list);
            hurt = with_sound_index(repository_, [&] {
                return find_hurt_paths(repository_, list.snapshots, unreadable(), progress_);
            });
        } while (!(hurt.empty() && lost.empty()) && has_grown());
        for (auto const& message : list.damaged) note_beyond_repair(message);
        give_up(lost, list.snapshots.size());
        bool const may_be_elsewhere = !found_.without_bundle.empty() && !hurt.empty();
        if (!may_be_elsewhere) found_.report.hurt = std::move(hurt);
    }

    std::set<PackId> unreadable() const {
        auto packs = found_.bad;
        packs.insert(found_.locked.begin(), found_.locked.end());
        return packs;
    }

    void note_beyond_repair(std::string const& message) {
        bool const is_told =
            message.starts_with("forgets/") || message.starts_with("gclog/") ||
            std::any_of(found_.going.begin(), found_.going.end(),
                        [&](auto const& name) { return message.starts_with(name); });
        if (is_told) return;
        found_.report.has_damaged_slot = true;  // nothing else is listed with the snapshots
        found_.note(&RepairReport::beyond_repair, message);
    }

    LostSnapshots lost_now(SnapshotList const& list) {
        LostSnapshots lost;
        with_sound_index(repository_, [&] { lost = lost_snapshots(repository_, list, log_); });
        lost.merge(lost_heads(repository_, log_));
        return lost;
    }

    // Once they are given up, nobody looks for them any more.
    void give_up(LostSnapshots const& lost, std::size_t left) {
        std::vector<SessionId> ids;
        for (auto const& one : lost) {
            ids.push_back(one.first);
            found_.note(&RepairReport::lost_snapshots, describe_lost(one));
        }
        found_.report.needs_allow_many = lost.size() > left && !request_.allow_many;
        if (!request_.apply || ids.empty() || found_.report.needs_allow_many) return;
        // Their packs are nobody's any more; first, since nobody looks for what is forgotten.
        for (auto const& id : ids) end_session(store_, repository_.keys(), id);
        put_forgets(repository_, ids, "lost");
    }

    Repository& repository_;
    Backend& store_;
    RepairRequest const& request_;
    Progress& progress_;
    std::optional<Session> session_;  // when it applies
    LogDamage log_damage_;
    GcState log_;
    std::set<PackId> returned_;  // from quarantine
    Findings found_;
};

}  // namespace

RepairReport repair_repository(Repository& repository, RepairRequest const& request,
                               Progress& progress) {
    if (!request.apply) return Repair(repository, request, progress).run();
    RepairReport report;
    with_reserve(repository.store(), [&] { report = Repair(repository, request, progress).run(); });
    return report;
}

}  // namespace coffre
