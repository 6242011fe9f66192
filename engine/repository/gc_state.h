// What the collectors' log says may no longer be relied on.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <optional>
#include <set>

#include "engine/backend/backend.h"
#include "engine/crypto/key_ring.h"
#include "format/gc_log.h"

namespace coffre {

struct GcState {
    std::set<PackId> condemned;  // by a condemn record that no sweep has answered yet
    std::vector<PackId> swept;   // ever; ascending
    std::set<SessionId> closed;  // slots void for ever
    std::optional<std::set<SessionId>> waits_for;  // all that may not know what is condemned
    std::set<BundleId> replaced;                   // by the last sweep
    std::uint64_t since_checkpoint = 0;            // records
    bool ends_in_condemn = false;   // then whatever is inherited is looked up as well
    std::uint64_t next_record = 0;  // the number that the log's next record will have
    bool has_strays = false;        // something that is no record lies beside them

    // The number of the record with which a reader begins.
    std::uint64_t first_needed() const {
        bool const has_checkpoint = since_checkpoint < next_record;
        return next_record - since_checkpoint - (has_checkpoint ? 1 : 0);
    }

    // May a writer that has read this log rely on the pack?
    bool usable(PackId const& pack) const { return !condemned.contains(pack) && !is_swept(pack); }
    bool is_swept(PackId const& pack) const {
        return std::binary_search(swept.begin(), swept.end(), pack);
    }
    void add_swept(std::vector<PackId> const& packs);
};

// Throws RepositoryError when it is missing or damaged.
LogRecord read_log_record(Backend& store, KeyRing const& keys, std::uint64_t number);

// Reads the log from its last checkpoint on, which repeats what counts of all before it: that may
// be gone. Throws RepositoryError when a record is missing or damaged.
GcState read_gc_log(Backend& store, KeyRing const& keys);

// Whether there are records now that `state` knows nothing of.
bool has_log_grown(Backend& store, GcState const& state);

// Makes `record` the log's record number `number`, durably. False when there is one already:
// another collector was faster, and all that led to `record` is to be done anew. Where a record of
// that number was removed it counts for nothing: only the log that is read afterwards tells.
bool append_to_gc_log(Backend& store, KeyRing const& keys, std::uint64_t number,
                      LogRecord const& record);

}  // namespace coffre
