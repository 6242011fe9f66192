// A repair from beginning to end. Why it harms nobody else: docs/ordering.md, "Repair".
#include "engine/repair.h"

#include <algorithm>

#include "engine/maintain/bundle_merge.h"
#include "engine/maintain/hurt_paths.h"
#include "engine/maintain/log_repair.h"
#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/open_sessions.h"
#include "engine/maintain/pack_reads.h"
#include "engine/maintain/quarantine.h"
#include "engine/maintain/salvage.h"
#include "engine/maintain/small_objects.h"
#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/reserve.h"
#include "engine/repository/session.h"
#include "engine/repository/stored_packs.h"
#include "engine/util/clock.h"
#include "engine/util/workers.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// What one look at everything has shown.
struct Findings {
    std::set<std::string> seen_bundles;
    std::map<PackId, ExpectedPack> expected;  // by the bundles
    std::set<PackId> bad;                     // damaged or missing
    std::set<PackId> locked;                  // under a master secret that is lost
    std::vector<PackId> without_bundle;       // sound
    std::vector<std::string> going;           // into quarantine
    std::optional<std::set<SessionId>> open_sessions;
    std::vector<std::string> noted;  // and not told yet
    bool is_overtaken = false;       // something is gone since it was listed
};

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
        return std::move(report_);
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

    // What is wrong with the object is noted, unless it is gone since it was listed; everything
    // else ends the command.
    template <class Action>
    bool is_sound(std::vector<std::string>& damaged, std::string const& name,
                  Action const& action) {
        try {
            action();
            return true;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            if (!store_.stat(name)) return found_.is_overtaken = true;
            note(damaged, error.what());
            return false;
        }
    }

    void note(std::vector<std::string>& among, std::string const& message) {
        among.push_back(message);
        found_.noted.push_back(message);
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
            report_ = {};
            found_ = {};
            log_ = read_log();
            look_at_bundles();
            look_at_packs();
            look_at_small_objects();
        } while ((found_.is_overtaken || !found_.noted.empty()) && has_grown());
        for (auto const& message : log_damage_.messages) note(report_.damaged_log, message);
        for (auto const& message : log_damage_.staying) note(report_.beyond_repair, message);
    }

    // Those that were not looked at yet.
    void look_at_bundles() {
        for (auto const& object : store_.list("bundles/")) {
            progress_.check_stop();
            if (!found_.seen_bundles.insert(object.name).second) continue;
            Bundle bundle;
            bool const sound = is_sound(report_.damaged_bundles, object.name, [&] {
                bundle = read_bundle(store_, repository_.keys(), object.name);
            });
            if (!sound) found_.going.push_back(object.name);
            for (auto const& row : bundle) {
                if (log_.is_swept(row.pack)) continue;
                found_.expected[row.pack] = {row.pack_size, xxh3(row.directory), row.session};
            }
        }
    }

    void look_at_packs() {
        StoredPacks const present(repository_, log_);
        report_.packs = present.size();
        // A writer that has ended since the bundles were listed has put its packs into one.
        auto const is_unlisted = [&](StoredPack const& pack) {
            return !found_.expected.contains(pack.id) && !is_of_writer(pack.id);
        };
        if (std::any_of(present.begin(), present.end(), is_unlisted)) look_at_bundles();
        std::vector<PackId> to_read;
        for (auto const& [id, expected] : found_.expected) {
            if (present.size_of(id) || store_.stat(names::pack(id))) continue;
            if (put_back(id, expected.size)) {
                to_read.push_back(id);
                progress_.total_bytes += expected.size;
                continue;
            }
            found_.bad.insert(id);
            note(report_.missing_packs, names::pack(id) + ": is missing");
        }
        for (auto const& [id, size] : present) {
            auto const known = found_.expected.find(id);
            bool const is_listed = known != found_.expected.end();
            if (is_listed && known->second.size != size) {
                add_damaged(id, names::pack(id) + ": has " + std::to_string(size) +
                                    " bytes, expected " + std::to_string(known->second.size));
            } else if (is_listed ? request_.read_data || returned_.contains(id)
                                 : !is_of_writer(id)) {
                to_read.push_back(id);
                progress_.total_bytes += size;
            }
        }
        read_packs(std::move(to_read));
    }

    // A repair that was killed had moved it to `quarantine/` before its rows left the bundles: it
    // is looked at again, and what can be read of it is stored anew.
    bool put_back(PackId const& id, std::uint64_t size) {
        std::string const from = names::quarantined(names::pack(id));
        auto const moved = store_.stat(from);
        if (!request_.apply || !moved || moved->size != size || mutant("lost-in-quarantine"))
            return false;
        store_.put(names::pack(id), get_whole(store_, from, limits::pack_size));
        store_.barrier();
        returned_.insert(id);
        return true;
    }

    // A pack that its writer will make known itself.
    bool is_of_writer(PackId const& id) {
        if (!found_.open_sessions) {
            found_.open_sessions.emplace();
            for (auto const& open : list_sessions(repository_, log_).open) {
                found_.open_sessions->insert(open.id);
            }
        }
        try {
            auto const session = session_of_pack(store_, id);
            return session && found_.open_sessions->contains(*session);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            return false;
        }
    }

    void read_packs(std::vector<PackId> packs) {
        std::string denied;
        auto const add = [&](PackReading const& reading) {
            if (!reading.denied.empty()) denied = reading.denied;
            if (!found_.expected.contains(reading.pack))
                found_.without_bundle.push_back(reading.pack);
            if (reading.begun_s && reading.errors.empty())
                note_sound(repository_.folder(), reading.pack);
            if (reading.errors.empty()) return;
            repository_.note_damaged(reading.pack);
            if (reading.lacks_secret) return add_locked(reading.pack, reading.errors[0]);
            add_damaged(reading.pack, reading.errors[0]);
        };
        PackReads reads(repository_, found_.expected, worker_count(request_.threads), progress_,
                        add);
        reads.begin(std::move(packs), [] { return std::optional(now_ns() / 1'000'000'000); });
        reads.finish();
        // It may well be sound.
        if (!denied.empty()) throw RepositoryError(RepositoryFailure::denied, denied);
        report_.packs_without_bundle = static_cast<std::uint64_t>(
            std::count_if(found_.without_bundle.begin(), found_.without_bundle.end(),
                          [this](PackId const& id) { return !found_.bad.contains(id); }));
    }

    void add_damaged(PackId const& id, std::string const& message) {
        found_.bad.insert(id);
        found_.going.push_back(names::pack(id));
        note(report_.damaged_packs, message);
    }

    // Whoever puts the right `keys/` back can read it again.
    void add_locked(PackId const& id, std::string const& message) {
        found_.locked.insert(id);
        note(report_.beyond_repair, message + "; it stays where it is");
    }

    void look_at_small_objects() {
        for (auto const& object : store_.list("forgets/")) {
            bool const sound = is_sound(report_.damaged_forgets, object.name,
                                        [&] { examine_small_object(repository_, object.name); });
            if (!sound) found_.going.push_back(object.name);
        }
        for (auto const& object : store_.list("keys/")) {
            is_sound(report_.beyond_repair, object.name,
                     [&] { examine_small_object(repository_, object.name); });
        }
        look_at_sessions();
        look_for_strays();
    }

    void look_at_sessions() {
        for (auto const& object : store_.list("sessions/")) {
            if (!session_of(object.name)) {
                add_stray(object, "session");
                continue;
            }
            bool const sound = is_sound(report_.damaged_sessions, object.name,
                                        [&] { examine_small_object(repository_, object.name); });
            if (!sound) found_.going.push_back(object.name);
        }
    }

    void look_for_strays() {
        for (auto const& object : store_.list("snapshots/")) {
            if (!SessionId::parse(last_component(object.name))) add_stray(object, "snapshot");
        }
        store_.each("packs/", [this](ObjectInfo const& object) {
            if (!names::pack_of(object.name)) add_stray(object, "pack");
        });
    }

    void add_stray(ObjectInfo const& object, std::string const& kind) {
        found_.going.push_back(object.name);
        note(report_.strays, object.name + ": no " + kind + " has such a name");
    }

    // --- what is done about it ---

    // Each step leaves a repository that is no worse than before it.
    void mend() {
        add_rows_of_packs();
        if (!found_.bad.empty() && !mutant("no-salvage")) {
            auto const salvaged = with_sound_index(repository_, [&] {
                return salvage(repository_, log_, found_.bad, unreadable(), progress_);
            });
            report_.chunks_saved = salvaged.saved;
            report_.chunks_lost = salvaged.lost;
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
            bool const may_fail = found_.bad.contains(id) || is_collected;
            if (error.kind() != RepositoryFailure::corrupt || !may_fail) throw;
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
                ++report_.unmoved;
                note(report_.beyond_repair, std::string(error.what()) + "; it stays where it is");
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
        if (!may_be_elsewhere) report_.hurt = std::move(hurt);
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
        report_.has_damaged_slot = true;  // nothing else is listed with the snapshots
        note(report_.beyond_repair, message);
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
            note(report_.lost_snapshots, describe_lost(one));
        }
        report_.needs_allow_many = lost.size() > left && !request_.allow_many;
        if (!request_.apply || ids.empty() || report_.needs_allow_many) return;
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
    RepairReport report_;
};

}  // namespace

RepairReport repair_repository(Repository& repository, RepairRequest const& request,
                               Progress& progress) {
    RepairReport report;
    with_reserve(repository.store(), [&] { report = Repair(repository, request, progress).run(); });
    return report;
}

}  // namespace coffre
