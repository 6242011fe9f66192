// Seals blocks in bulk: AES-256-GCM or ChaCha20-Poly1305, each block under a key of its own.
//
// docs/format.md, section "Blocks".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/crypto/aead.h"

namespace coffre {

inline constexpr std::size_t block_salt_size = 24;
inline constexpr std::size_t block_tag_size = aead_tag_size;

// A session's key for one kind of block. With cipher none, blocks stay as they are.
struct SessionKey {
    KeyId id;
    PackKind kind = PackKind::data;
    Cipher cipher = Cipher::none;
    SecretKey secret;
};

// AES-256-GCM where this processor computes AES, else ChaCha20-Poly1305.
Cipher fastest_cipher();

// Of a block whose content is as long as that.
std::size_t sealed_size(SessionKey const& key, std::size_t content);

// Fills `sealed`, sealed_size() bytes that do not overlap with `content`: salt | ciphertext | tag.
// The salt is fresh, so no key ever seals two blocks.
void seal_block(SessionKey const& key, RepositoryId const& repository, ByteView content,
                std::span<std::byte> sealed);
Bytes seal_block(SessionKey const& key, RepositoryId const& repository, ByteView content);

// The content. Throws FormatError when it is not what was sealed.
Bytes unseal_block(SessionKey const& key, RepositoryId const& repository, ByteView sealed);

}  // namespace coffre
