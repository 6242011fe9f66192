// The way from a passphrase or a key file to the master secrets.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"
#include "engine/repository.h"
#include "format/key_slot.h"

namespace coffre {

// Adds a slot for each of the credentials; a key file that does not exist is made.
void add_key_slots(Backend& store, RepositoryId const& repository, KdfStrength strength,
                   Credentials const& credentials, std::vector<MasterSecret> const& masters);

// Tries the credentials on every slot. Throws RepositoryError{wrong_key} when none fits; a damaged
// slot is an error only then.
std::vector<MasterSecret> open_key_slots(Backend& store, RepositoryId const& repository,
                                         Credentials const& credentials);

// Checks a slot as far as that goes without its key. Throws RepositoryError{corrupt}.
void check_key_slot(Backend& store, std::string const& name);

}  // namespace coffre
