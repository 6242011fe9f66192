// The packs that the store listed at one moment.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "engine/util/spilled_array.h"

namespace coffre {

struct StoredPack {
    PackId id;
    std::uint64_t size = 0;

    bool operator<(StoredPack const& other) const { return id < other.id; }
};

class StoredPacks {
public:
    // Without those that `log` has ever swept: deleting them may take a while. Throws
    // RepositoryError; SourceError when many packs find no room in the repository's folder here.
    explicit StoredPacks(Repository& repository, GcState const& log = {});

    // Nothing when it is not there.
    std::optional<std::uint64_t> size_of(PackId const& id) const;
    // With the size that the index knows.
    bool holds(IndexedPack const& pack) const { return size_of(pack.id) == pack.size; }

    std::size_t size() const { return packs_.size(); }
    // Ascending.
    StoredPack const* begin() const { return packs_.begin(); }
    StoredPack const* end() const { return packs_.end(); }

private:
    SpilledArray<StoredPack> packs_;
};

}  // namespace coffre
