// One snapshot slot, read and checked.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

// Throws RepositoryError{corrupt} naming the object. A killed slot's signature is checked too.
SlotContent read_slot(Repository& repository, std::string const& name);

}  // namespace coffre
