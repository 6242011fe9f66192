// Makes whole again what can be, sets aside what cannot, and says what is lost.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/snapshots.h"

namespace coffre {

struct RepairRequest {
    bool apply = false;       // else only say what would be done
    bool read_data = true;    // every byte of every pack; else of those known to be damaged
    unsigned threads = 0;     // 0: one for each processor
    bool allow_many = false;  // give up lost snapshots although more are lost than left
};

// A file that cannot be restored as it was, or a folder of which it is not known what is in it.
struct HurtPath {
    std::string path;  // "/srv/a"
    bool is_folder = false;
    std::vector<SessionId> snapshots;  // in which it is hurt, oldest first
};

struct RepairReport {
    // Each message names an object.
    std::vector<std::string> damaged_packs;
    std::vector<std::string> missing_packs;
    std::vector<std::string> damaged_bundles;
    std::vector<std::string> damaged_forgets;   // their snapshots are there again
    std::vector<std::string> damaged_sessions;  // these are ended; a writer tries once more
    std::vector<std::string> damaged_log;       // records that are missing, too: done without
    std::vector<std::string> strays;            // that are no objects of a repository
    std::vector<std::string> lost_snapshots;    // of which something tells: they are given up
    bool has_damaged_slot = false;              // of a snapshot; it is among the next, too
    std::vector<std::string> beyond_repair;     // slots and keys: left as they are
    std::uint64_t unmoved = 0;                  // that should be set aside; among those, too
    bool needs_allow_many = false;              // so they are not given up
    std::uint64_t packs = 0;
    std::uint64_t packs_without_bundle = 0;  // sound ones: they get one
    std::uint64_t chunks_saved = 0;          // that were only in damaged packs; stored anew
    std::uint64_t chunks_lost = 0;           // of those packs, needed or not
    // By path. Nothing when it is not known yet: packs without bundle may hold what is missed.
    std::optional<std::vector<HurtPath>> hurt;

    // Whether there is something to be done. Packs without bundle in which nothing is missed are
    // what an interrupted run left: the next prune removes them.
    bool is_needed() const {
        return !damaged_packs.empty() || !missing_packs.empty() || !damaged_bundles.empty() ||
               !damaged_forgets.empty() || !damaged_sessions.empty() || !damaged_log.empty() ||
               !strays.empty() || !lost_snapshots.empty() || (packs_without_bundle > 0 && !hurt);
    }
    bool is_whole() const {
        return beyond_repair.empty() && !needs_allow_many && hurt && hurt->empty();
    }
};

// Brings bundles level with the packs; stores anew what can still be read of damaged packs, or
// elsewhere; then moves what is damaged to "quarantine/", where nothing looks for it. Destroys
// nothing, may be stopped at any moment and run again, and beside all others: its session keeps
// collectors from removing anything meanwhile.
// Where there is no room to apply it, it takes the reserve. Throws RepositoryError.
RepairReport repair_repository(Repository& repository, RepairRequest const& request,
                               Progress& progress);

}  // namespace coffre
