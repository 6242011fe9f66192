#include "engine/crypto/block_seal.h"

#include <sodium.h>

#include <algorithm>

#include "engine/crypto/aead.h"
#include "engine/crypto/kdf.h"

namespace coffre {

namespace {

Aead const& fastest(Cipher cipher) {
    return aeads(cipher).front();
}

// Valid until this thread asks for another.
SecretKey const& key_of_block(SessionKey const& key, ByteView salt) {
    thread_local SecretKey derived;
    Writer label;
    label.raw(as_bytes("coffre-block-1"));
    label.u8(static_cast<std::uint8_t>(key.cipher));
    label.raw(salt);
    derive_subkey(derived, key.secret, label.view());
    return derived;
}

Bytes authenticated(SessionKey const& key, RepositoryId const& repository) {
    Writer out;
    out.id(repository);
    out.u8(static_cast<std::uint8_t>(key.kind));
    out.id(key.id);
    return out.take();
}

}  // namespace

Cipher fastest_cipher() {
    prepare_crypto();
    return ::sodium_runtime_has_aesni() != 0 ? Cipher::aes_256_gcm : Cipher::chacha20_poly1305;
}

std::size_t sealed_size(SessionKey const& key, std::size_t content) {
    return key.cipher == Cipher::none ? content : block_salt_size + content + block_tag_size;
}

Bytes seal_block(SessionKey const& key, RepositoryId const& repository, ByteView content) {
    Bytes sealed = Bytes::uncleared(sealed_size(key, content.size()));
    seal_block(key, repository, content, sealed);
    return sealed;
}

void seal_block(SessionKey const& key, RepositoryId const& repository, ByteView content,
                std::span<std::byte> sealed) {
    if (key.cipher == Cipher::none) {
        std::copy(content.begin(), content.end(), sealed.begin());
        return;
    }
    fill_random(sealed.first(block_salt_size));
    SecretKey const& block_key = key_of_block(key, sealed.first(block_salt_size));
    fastest(key.cipher)
        .encrypt(block_key, authenticated(key, repository), content,
                 sealed.subspan(block_salt_size));
}

Bytes unseal_block(SessionKey const& key, RepositoryId const& repository, ByteView sealed) {
    if (key.cipher == Cipher::none) return {sealed.begin(), sealed.end()};
    if (sealed.size() < block_salt_size + block_tag_size) throw FormatError("block too short");
    ByteView const body = sealed.subspan(block_salt_size);
    SecretKey const& block_key = key_of_block(key, sealed.first(block_salt_size));
    Bytes content = Bytes::uncleared(body.size() - block_tag_size);
    if (!fastest(key.cipher).decrypt(block_key, authenticated(key, repository), body, content))
        throw FormatError("block is not what was sealed");
    return content;
}

}  // namespace coffre
