// The objects `keys/<id>`: the way from a passphrase or a key file to the master secrets.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"
#include "engine/crypto/key_ring.h"
#include "engine/repository.h"
#include "format/key_slot.h"

namespace coffre {

// What a new slot is opened with: exactly one of the credentials is given.
struct SlotCredentials {
    Credentials const& credentials;
    KdfStrength strength = KdfStrength::standard;
    std::string label;
};

KdfCost cost_of(KdfStrength strength);

// Adds a slot of this name that holds all masters of `keys`; a key file that does not exist is
// made. False when the name is taken. Not durable before the next barrier.
bool put_key_slot(Backend& store, KeyRing const& keys, std::string const& name,
                  SlotCredentials const& how);

struct OpenedSlot {
    std::string name;
    std::vector<MasterSecret> masters;
};

// Tries the credentials on every slot. Throws RepositoryError{wrong_key} when none fits, or one
// that a rekey left over; a damaged slot is an error only then.
OpenedSlot open_key_slots(Backend& store, RepositoryId const& repository,
                          Credentials const& credentials);

// How many master secrets the slot holds that has the most, as it says itself.
std::uint32_t newest_slot_epoch(Backend& store);

// The masters of this very slot. Throws RepositoryError{wrong_key, corrupt}.
std::vector<MasterSecret> open_key_slot(Backend& store, RepositoryId const& repository,
                                        std::string const& name, Credentials const& credentials);

// What a slot is, as far as that is seen without its own key.
struct DescribedSlot {
    SlotPrefix prefix;
    SlotInfo info;
};

// Throws RepositoryError{corrupt}.
DescribedSlot describe_key_slot(Backend& store, KeyRing const& keys, std::string const& name);

}  // namespace coffre
