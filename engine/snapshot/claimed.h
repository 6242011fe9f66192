// The chunks that this run has taken on to store and that the index does not show yet.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <mutex>
#include <unordered_set>
#include <vector>

#include "format/id.h"

namespace coffre {

// `record` claims, `publish` releases: two threads.
class ClaimedChunks {
public:
    bool contains(ChunkId const& id) const {
        std::lock_guard const lock(mutex_);
        return ids_.contains(id);
    }
    void claim(ChunkId const& id) {
        std::lock_guard const lock(mutex_);
        ids_.insert(id);
    }
    // Only after the index shows them: a chunk is always in one of the two.
    void release(std::vector<ChunkId> const& ids) {
        std::lock_guard const lock(mutex_);
        for (auto const& id : ids) ids_.erase(id);
    }

private:
    mutable std::mutex mutex_;
    std::unordered_set<ChunkId, IdHash> ids_;  // by mutex_
};

}  // namespace coffre
