// The key slots of a repository: each opens it with one passphrase or key file.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <vector>

#include "engine/repository.h"
#include "format/key_slot.h"

namespace coffre {

struct KeySlotDescription {
    std::string id;  // hexadecimal
    SlotPrefix prefix;
    SlotInfo info;
    bool is_current = false;   // the one that opened the repository
    bool is_outdated = false;  // left over from a rekey: opens nothing new
};

struct DamagedKeySlot {
    std::string id;
    std::string message;  // names it
};

// A damaged slot is not among `slots`.
struct KeySlotList {
    std::vector<KeySlotDescription> slots;  // oldest first
    std::vector<DamagedKeySlot> damaged;
};

struct NewKey {
    Credentials credentials;  // exactly one of the two
    KdfStrength kdf = KdfStrength::standard;
    std::string label;
};

// All throw RepositoryError; in mode none, where there are no keys, {unusable}. What they change is
// durable, and was read back, when they return.

KeySlotList list_keys(Repository& repository);

// Whether a slot of the repository is for these.
bool opens_already(Repository& repository, Credentials const& credentials);

// Returns the id of the new slot. Refused for what opens the repository already.
std::string add_key(Repository& repository, NewKey const& key);

// Whether the slot that opened the repository may go, and a damaged one, which may still open it.
enum class KeyRemoval { careful, forced };

// Removes the slot whose id starts with `prefix`, and returns its id. Refused for the last slot.
std::string remove_key(Repository& repository, std::string const& prefix, KeyRemoval removal);

// The slot that a removal would remove; throws as that does.
std::string removable_key(Repository& repository, std::string const& prefix, KeyRemoval removal);

// Puts `key` in the place of the slot that opened the repository. Returns the new slot's id.
// Refused for what opens the repository already, unless that is the passphrase in use at another
// cost.
std::string replace_key(Repository& repository, NewKey const& key);

// Draws a new master secret: what is stored from now on cannot be read with anything that was known
// before. All slots but one for `key`, which may be the present one, are removed: make the others
// again. What was stored before is as readable as it was. Returns the new slot's id.
std::string rekey(Repository& repository, NewKey const& key);

// A random passphrase of 130 bits in groups of letters and digits, with a checksum, to be printed
// and typed back: case, spaces, dashes, and O for 0 or I for 1 do not matter then.
std::string make_recovery_key();

}  // namespace coffre
