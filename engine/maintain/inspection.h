// One look of a repair at all but the log and the trees: what is damaged, missing, or no object of
// a repository.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repair.h"
#include "engine/repository/gc_state.h"

namespace coffre {

struct Findings {
    RepairReport report;                 // as far as a look shows it
    std::set<PackId> bad;                // damaged or missing
    std::set<PackId> locked;             // under a master secret that is lost
    std::vector<PackId> without_bundle;  // and of no writer that is at work
    std::vector<std::string> going;      // into quarantine
    std::vector<std::string> noted;      // in the report, and not told yet
    bool is_overtaken = false;           // something is gone since it was listed

    // Adds the message, which names an object, to this list of the report.
    void note(std::vector<std::string> RepairReport::*list, std::string const& message);
};

// Looks at the bundles, the packs, the small objects but snapshots, and at all names. Of packs it
// compares the sizes, and reads all bytes when the request says so, when they were damaged when
// this machine read them last, or when no bundle names them and no writer that is at work will;
// `progress` counts these. When the request is to be applied, a missing pack that lies in
// quarantine is put back first, and added to `returned`; those are always read. Throws
// RepositoryError for what is no matter of one object.
Findings inspect(Repository& repository, RepairRequest const& request, GcState const& log,
                 std::set<PackId>& returned, Progress& progress);

}  // namespace coffre
