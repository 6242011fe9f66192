// Whether the repository is older than when this machine last saw it.
//
// docs/threat-model.md, "Rollback".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/repository/repository.h"

namespace coffre {

// Compares with what this machine has seen, and remembers what is new. Throws
// RepositoryError{rolled_back}, unless the options accept it: then what is lost is not looked for
// again; {unusable} when it was encrypted and is not any more.
void require_no_rollback(Repository& repository, OpenOptions const& options);

}  // namespace coffre
