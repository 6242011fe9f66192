// The objects `keys/<id>`: each opens the master secrets with one passphrase or key file.
//
// docs/format.md, section "keys".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstring>

#include "format/config.h"

namespace coffre {

enum class SlotKind : std::uint8_t { passphrase = 1, key_file = 2 };

// Cost of Argon2id (RFC 9106), as libsodium counts it. Zero for a key file, which needs none.
struct KdfCost {
    std::uint32_t passes = 0;
    std::uint32_t memory_kib = 0;

    bool operator==(KdfCost const&) const = default;
};

// Readable without a key; authenticated together with the rest.
struct SlotPrefix {
    SlotKind kind = SlotKind::passphrase;
    KdfCost cost;
    std::uint32_t epochs = 1;  // how many master secrets it holds: fewer than others is outdated
    std::array<std::byte, 16> salt{};
    Key commitment{};  // of the slot key: tells a wrong passphrase from a damaged slot

    bool operator==(SlotPrefix const&) const = default;
};

// Overwritten wherever it is left: also what a vector leaves behind when it grows.
struct MasterSecret {
    std::uint32_t epoch = 1;
    Key secret{};

    MasterSecret() = default;
    MasterSecret(std::uint32_t its_epoch, Key const& its_secret)
        : epoch(its_epoch), secret(its_secret) {}
    MasterSecret(MasterSecret const&) = default;
    MasterSecret& operator=(MasterSecret const&) = default;
    ~MasterSecret() { ::explicit_bzero(secret.data(), secret.size()); }
    bool operator==(MasterSecret const&) const = default;
};

// Sealed under the slot key.
struct SlotSecrets {
    std::vector<MasterSecret> masters;  // epochs ascending, the first is 1

    bool operator==(SlotSecrets const&) const = default;
};

// Sealed under a key of the repository: whoever opens one slot sees what the others are.
struct SlotInfo {
    std::string label;  // what the user calls this slot
    std::string host;   // where it was made
    std::int64_t created_ns = 0;

    bool operator==(SlotInfo const&) const = default;
};

Bytes encode_slot_prefix(SlotPrefix const& prefix);
// Reads the prefix and leaves `in` at the sealed rest. Refuses costs above 4 GiB or 16 passes.
SlotPrefix decode_slot_prefix(Reader& in);

Bytes encode_slot_secrets(SlotSecrets const& secrets);
SlotSecrets decode_slot_secrets(ByteView bytes);

Bytes encode_slot_info(SlotInfo const& info);
SlotInfo decode_slot_info(ByteView bytes);

}  // namespace coffre
