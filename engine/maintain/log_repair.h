// The collectors' log, when some of it cannot be read.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"

namespace coffre {

struct LogDamage {
    std::vector<std::string> messages;  // each names an object
    std::vector<std::string> damaged;   // objects that are there and no records
    std::uint64_t next_record = 0;      // after the last one that is there
    std::vector<std::string> staying;   // a message for each that could not be set aside
    // What all others say: every name ever swept, and the slots that are closed for ever. Without
    // what follows a loss before the first checkpoint that is left.
    LogRecord rest{LogKind::checkpoint, {}, {}, {}};

    // The log without what was damaged. Nothing is condemned.
    GcState state() const;
};

// Reads every record, those before the last checkpoint too, of which it misses none. Misses the end
// of a log that this machine has seen longer.
LogDamage look_at_gc_log(Repository& repository);

// Makes the log whole: what the damaged records said that no other says is forgotten. Does nothing
// more when another collector appends to the log meanwhile: false.
//
// First a checkpoint is appended. So whoever had condemned begins again, and no sweep follows that
// would remove what others have relied on since. Then the damaged records are set aside, with the
// same checkpoint in the place of each, and once more at the end when this machine has seen the log
// longer. Changes `damage.damaged` to what is there by then, and adds to `damage.staying`.
bool mend_gc_log(Repository& repository, LogDamage& damage);

}  // namespace coffre
