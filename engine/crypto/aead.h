// Authenticated encryption under keys that encrypt only once: with a nonce of zeros.
//
// Algorithms: AES-256-GCM (NIST SP 800-38D), ChaCha20-Poly1305 (RFC 8439).
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>

#include "engine/crypto/secret.h"
#include "format/pack.h"

namespace coffre {

inline constexpr std::size_t aead_tag_size = 16;
inline constexpr std::array<unsigned char, 12> aead_nonce{};  // of both ciphers

// One library's implementation of a cipher. Any thread may call it.
struct Aead {
    // Fills `sealed`: ciphertext | tag, aead_tag_size bytes more than `content`, and apart from it.
    void (*encrypt)(SecretKey const& key, ByteView authenticated, ByteView content,
                    std::span<std::byte> sealed);
    // Fills `content`, as long as the ciphertext. False when `sealed` is not what was encrypted:
    // `content` must not be used then.
    bool (*decrypt)(SecretKey const& key, ByteView authenticated, ByteView sealed,
                    std::span<std::byte> content);
};

// What this processor can run of a cipher other than none: at least one, the fastest first. All
// compute the same.
std::vector<Aead> const& aeads(Cipher cipher);

}  // namespace coffre
