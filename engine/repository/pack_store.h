// Packs and bundles as objects of the store.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <utility>

#include "engine/backend/backend.h"
#include "engine/repository/pack_builder.h"

namespace coffre {

// Returns the pack's row for a bundle. Durable after the store's next barrier.
BundleRow put_pack(Backend& store, KeyRing const& keys, OpenPack pack);

// The session that wrote the pack, as its header says: nobody vouches for that. Nothing when there
// is no such pack. Throws RepositoryError{corrupt} naming the pack.
std::optional<SessionId> session_of_pack(Backend& store, PackId const& pack);

// Throws RepositoryError{corrupt} naming the bundle.
Bundle read_bundle(Backend& store, KeyRing const& keys, std::string const& name);

// Durable when it returns, as are the packs that it speaks of if they were put before.
BundleId put_bundle(Backend& store, KeyRing const& keys, Bundle const& bundle);

// So many packs share a bundle: soon known, or, when bundles are made anew, few bundles.
inline constexpr std::size_t packs_per_bundle = 32;
inline constexpr std::size_t packs_per_merged_bundle = 128;

// Rows that wait to be put together, as a bundle.
class OpenBundle {
public:
    void add(BundleRow row) {
        bytes_ += row.directory.size();
        rows_.push_back(std::move(row));
    }
    bool empty() const { return rows_.empty(); }
    // By `packs`, or by the memory that their directories take.
    bool is_full(std::size_t packs) const { return rows_.size() >= packs || bytes_ >= most_bytes; }
    Bundle take() {
        bytes_ = 0;
        return std::exchange(rows_, {});
    }

private:
    static constexpr std::size_t most_bytes = 4U << 20U;
    Bundle rows_;
    std::size_t bytes_ = 0;
};

}  // namespace coffre
