// The objects that are read whole, and by every command that needs them at all.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "engine/repository/repository.h"

namespace coffre {

inline constexpr std::array small_object_folders{"keys/", "sessions/", "snapshots/", "forgets/"};

// Reads an object of one of these folders as those do who need it. Throws RepositoryError that
// names it when it is missing, or not what it should be.
void examine_small_object(Repository& repository, std::string const& name);

}  // namespace coffre
