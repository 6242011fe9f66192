// Seals small things: XChaCha20-Poly1305 with a random nonce, or a bare BLAKE3 check in mode none.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/crypto/secret.h"
#include "format/config.h"

namespace coffre {

// encrypted: nonce (24) | ciphertext | tag (16). none: content | BLAKE3-256(authenticated |
// content). Both bind `authenticated`, which is not stored.
Bytes seal(Mode mode, SecretKey const& key, ByteView authenticated, ByteView content);

// Nothing when the bytes are not those that `seal` made with this key and these authenticated data.
std::optional<Bytes> unseal(Mode mode, SecretKey const& key, ByteView authenticated,
                            ByteView sealed);

// Ed25519 with a key pair derived from `seed`.
Key sign_public_key(SecretKey const& seed);
Bytes sign(SecretKey const& seed, ByteView message);
bool signature_fits(Key const& public_key, ByteView message, ByteView signature);

// X25519 key pair derived from `seed`, for sealed boxes.
Key box_public_key(SecretKey const& seed);

}  // namespace coffre
