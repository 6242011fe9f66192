// Objects as files of a folder.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/backend/backend.h"

namespace coffre {

// Makes the folder `path` (its parent must exist) with the folders of all object kinds, durably.
// Throws RepositoryError when `path` exists and is not an empty folder.
void create_local_store(std::string const& path);

// A put file is written without a name, synced, and then linked: a name never shows half a file,
// and a killed process leaves nothing behind. The barrier syncs the folders.
// Throws RepositoryError{not_found} when `path` is not a folder.
std::unique_ptr<Backend> open_local_store(std::string const& path);

}  // namespace coffre
