// Bundles as objects of the store.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"
#include "engine/crypto/key_ring.h"
#include "format/bundle.h"

namespace coffre {

// Throws RepositoryError{corrupt} naming the bundle.
Bundle read_bundle(Backend& store, KeyRing const& keys, std::string const& name);

// Durable when it returns, as are the packs that it speaks of if they were put before.
BundleId put_bundle(Backend& store, KeyRing const& keys, Bundle const& bundle);

}  // namespace coffre
