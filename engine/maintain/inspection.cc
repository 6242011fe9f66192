#include "engine/maintain/inspection.h"

#include <algorithm>

#include "engine/maintain/open_sessions.h"
#include "engine/maintain/pack_reads.h"
#include "engine/maintain/small_objects.h"
#include "engine/repository/damage_notes.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/stored_packs.h"
#include "engine/util/clock.h"
#include "engine/util/workers.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

class Inspection {
public:
    Inspection(Repository& repository, RepairRequest const& request, GcState const& log,
               std::set<PackId>& returned, Progress& progress)
        : repository_(repository),
          store_(repository.store()),
          request_(request),
          log_(log),
          returned_(returned),
          progress_(progress),
          noted_(noted_damaged(repository.folder())) {}

    Findings run() {
        look_at_bundles();
        look_at_packs();
        look_at_small_objects();
        return std::move(found_);
    }

private:
    using List = std::vector<std::string> RepairReport::*;

    // What is wrong with the object is noted, unless it is gone since it was listed; everything
    // else ends the command.
    template <class Action>
    bool is_sound(List damaged, std::string const& name, Action const& action) {
        try {
            action();
            return true;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            if (!store_.stat(name)) return found_.is_overtaken = true;
            found_.note(damaged, error.what());
            return false;
        }
    }

    // Those that were not looked at yet.
    void look_at_bundles() {
        for (auto const& object : store_.list("bundles/")) {
            progress_.check_stop();
            if (!seen_bundles_.insert(object.name).second) continue;
            Bundle bundle;
            bool const sound = is_sound(&RepairReport::damaged_bundles, object.name, [&] {
                bundle = read_bundle(store_, repository_.keys(), object.name);
            });
            if (!sound) found_.going.push_back(object.name);
            for (auto const& row : bundle) {
                if (log_.is_swept(row.pack)) continue;
                expected_[row.pack] = {row.pack_size, xxh3(row.directory), row.session};
            }
        }
    }

    void look_at_packs() {
        StoredPacks const present(repository_, log_);
        found_.report.packs = present.size();
        // A writer that has ended since the bundles were listed has put its packs into one.
        auto const is_unlisted = [&](StoredPack const& pack) {
            return !expected_.contains(pack.id) && !is_of_writer(pack.id);
        };
        if (std::any_of(present.begin(), present.end(), is_unlisted)) look_at_bundles();
        for (auto const& [id, expected] : expected_) {
            if (!present.size_of(id) && !store_.stat(names::pack(id))) look_for(id, expected.size);
        }
        for (auto const& [id, size] : present) look_at_size(id, size);
        read_packs();
    }

    void look_for(PackId const& id, std::uint64_t size) {
        if (put_back(id, size)) return read_later(id, size);
        found_.bad.insert(id);
        found_.note(&RepairReport::missing_packs, names::pack(id) + ": is missing");
    }

    void look_at_size(PackId const& id, std::uint64_t size) {
        auto const known = expected_.find(id);
        if (known == expected_.end()) {
            if (!is_of_writer(id)) read_later(id, size);
        } else if (known->second.size != size) {
            add_damaged(id, names::pack(id) + ": has " + std::to_string(size) +
                                " bytes, expected " + std::to_string(known->second.size));
        } else if (request_.read_data || returned_.contains(id) || noted_.contains(id)) {
            read_later(id, size);
        }
    }

    void read_later(PackId const& id, std::uint64_t size) {
        to_read_.push_back(id);
        progress_.total_bytes += size;
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
        if (!open_sessions_) {
            open_sessions_.emplace();
            for (auto const& open : list_sessions(repository_, log_).open) {
                open_sessions_->insert(open.id);
            }
        }
        try {
            auto const session = session_of_pack(store_, id);
            return session && open_sessions_->contains(*session);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            return false;
        }
    }

    void read_packs() {
        std::string denied;
        auto const add = [&](PackReading const& reading) {
            if (!reading.denied.empty()) denied = reading.denied;
            if (!expected_.contains(reading.pack)) found_.without_bundle.push_back(reading.pack);
            if (reading.begun_s && reading.errors.empty())
                note_sound(repository_.folder(), reading.pack);
            if (reading.errors.empty()) return;
            repository_.note_damaged(reading.pack);
            if (reading.lacks_secret) return add_locked(reading.pack, reading.errors[0]);
            add_damaged(reading.pack, reading.errors[0]);
        };
        PackReads reads(repository_, expected_, worker_count(request_.threads), progress_, add);
        reads.begin(std::move(to_read_), [] { return std::optional(now_ns() / 1'000'000'000); });
        reads.finish();
        // It may well be sound.
        if (!denied.empty()) throw RepositoryError(RepositoryFailure::denied, denied);
        found_.report.packs_without_bundle = static_cast<std::uint64_t>(
            std::count_if(found_.without_bundle.begin(), found_.without_bundle.end(),
                          [this](PackId const& id) { return !found_.bad.contains(id); }));
    }

    void add_damaged(PackId const& id, std::string const& message) {
        found_.bad.insert(id);
        found_.going.push_back(names::pack(id));
        found_.note(&RepairReport::damaged_packs, message);
    }

    // Whoever puts the right `keys/` back can read it again.
    void add_locked(PackId const& id, std::string const& message) {
        found_.locked.insert(id);
        found_.note(&RepairReport::beyond_repair, message + "; it stays where it is");
    }

    void look_at_small_objects() {
        for (auto const& object : store_.list("forgets/")) {
            bool const sound = is_sound(&RepairReport::damaged_forgets, object.name,
                                        [&] { examine_small_object(repository_, object.name); });
            if (!sound) found_.going.push_back(object.name);
        }
        for (auto const& object : store_.list("keys/")) {
            is_sound(&RepairReport::beyond_repair, object.name,
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
            bool const sound = is_sound(&RepairReport::damaged_sessions, object.name,
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
        found_.note(&RepairReport::strays, object.name + ": no " + kind + " has such a name");
    }

    Repository& repository_;
    Backend& store_;
    RepairRequest const& request_;
    GcState const& log_;
    std::set<PackId>& returned_;
    Progress& progress_;
    std::set<PackId> const noted_;  // damaged when they were read last
    std::set<std::string> seen_bundles_;
    std::map<PackId, ExpectedPack> expected_;  // by the bundles
    std::optional<std::set<SessionId>> open_sessions_;
    std::vector<PackId> to_read_;
    Findings found_;
};

}  // namespace

void Findings::note(std::vector<std::string> RepairReport::*list, std::string const& message) {
    (report.*list).push_back(message);
    noted.push_back(message);
}

Findings inspect(Repository& repository, RepairRequest const& request, GcState const& log,
                 std::set<PackId>& returned, Progress& progress) {
    return Inspection(repository, request, log, returned, progress).run();
}

}  // namespace coffre
