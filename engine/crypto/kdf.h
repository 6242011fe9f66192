// Keys from keys, and keys from passphrases.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#include "engine/crypto/secret.h"
#include "engine/error.h"
#include "format/key_slot.h"

namespace coffre {

// BLAKE2b-256 keyed with `master` over `label` (RFC 7693): one label per purpose.
SecretKey subkey(SecretKey const& master, std::string_view label);
SecretKey subkey(SecretKey const& master, ByteView label);
// The same into `key`, for whoever derives one after the other.
void derive_subkey(SecretKey& key, SecretKey const& master, ByteView label);

// A passphrase costs more memory than this machine has.
class CostlyKeyError : public RepositoryError {
public:
    using RepositoryError::RepositoryError;
};

// Argon2id (RFC 9106). Throws CostlyKeyError{failed}.
SecretKey slot_key_of_passphrase(std::string_view passphrase, SlotPrefix const& slot);
// A key file's 32 bytes bound to the slot's salt.
SecretKey slot_key_of_file(SecretKey const& file_key, SlotPrefix const& slot);

// Says which key a slot is for, and tells nothing else about it.
Key slot_commitment(SecretKey const& slot_key, RepositoryId const& repository, SlotPrefix slot);

}  // namespace coffre
