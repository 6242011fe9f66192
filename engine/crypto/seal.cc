#include "engine/crypto/seal.h"

#include <sodium.h>

#include <algorithm>

#include "engine/crypto/hash.h"
#include "engine/util/raw_bytes.h"
#include "format/gc_log.h"

namespace coffre {

namespace {

constexpr std::size_t nonce_size = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t tag_size = crypto_aead_xchacha20poly1305_ietf_ABYTES;

Digest check_of(ByteView authenticated, ByteView content) {
    Blake3 hasher;
    hasher.update(authenticated);
    hasher.update(content);
    return hasher.digest();
}

Bytes add_check(ByteView authenticated, ByteView content) {
    Bytes sealed(content.begin(), content.end());
    append(sealed, check_of(authenticated, content).bytes);
    return sealed;
}

std::optional<Bytes> verify_check(ByteView authenticated, ByteView sealed) {
    if (sealed.size() < Digest::size) return std::nullopt;
    ByteView const content = sealed.first(sealed.size() - Digest::size);
    if (Digest::from(sealed.last(Digest::size)) != check_of(authenticated, content))
        return std::nullopt;
    return Bytes(content.begin(), content.end());
}

}  // namespace

Bytes seal(Mode mode, SecretKey const& key, ByteView authenticated, ByteView content) {
    if (mode == Mode::none) return add_check(authenticated, content);
    Bytes sealed(nonce_size + content.size() + tag_size);
    fill_random(std::span(sealed).first(nonce_size));
    ::crypto_aead_xchacha20poly1305_ietf_encrypt(
        raw(std::span(sealed).subspan(nonce_size)), nullptr, raw(content), content.size(),
        raw(authenticated), authenticated.size(), nullptr, raw(ByteView(sealed)), key.data());
    return sealed;
}

std::optional<Bytes> unseal(Mode mode, SecretKey const& key, ByteView authenticated,
                            ByteView sealed) {
    if (mode == Mode::none) return verify_check(authenticated, sealed);
    if (sealed.size() < nonce_size + tag_size) return std::nullopt;
    Bytes content(sealed.size() - nonce_size - tag_size);
    ByteView const body = sealed.subspan(nonce_size);
    if (::crypto_aead_xchacha20poly1305_ietf_decrypt(
            raw(content), nullptr, nullptr, raw(body), body.size(), raw(authenticated),
            authenticated.size(), raw(sealed), key.data()) != 0) {
        return std::nullopt;
    }
    return content;
}

Key sign_public_key(SecretKey const& seed) {
    Key public_key;
    std::array<std::byte, crypto_sign_SECRETKEYBYTES> secret{};
    ::crypto_sign_seed_keypair(raw(std::span<std::byte>(public_key)),
                               raw(std::span<std::byte>(secret)), seed.data());
    wipe(secret);
    return public_key;
}

Bytes sign(SecretKey const& seed, ByteView message) {
    Key public_key;
    std::array<std::byte, crypto_sign_SECRETKEYBYTES> secret{};
    ::crypto_sign_seed_keypair(raw(std::span<std::byte>(public_key)),
                               raw(std::span<std::byte>(secret)), seed.data());
    Bytes signature(signature_size);
    ::crypto_sign_detached(raw(signature), nullptr, raw(message), message.size(),
                           raw(ByteView(secret)));
    wipe(secret);
    return signature;
}

bool signature_fits(Key const& public_key, ByteView message, ByteView signature) {
    return signature.size() == signature_size &&
           ::crypto_sign_verify_detached(raw(signature), raw(message), message.size(),
                                         raw(ByteView(public_key))) == 0;
}

Key box_public_key(SecretKey const& seed) {
    Key public_key;
    std::array<std::byte, crypto_box_SECRETKEYBYTES> secret{};
    ::crypto_box_seed_keypair(raw(std::span<std::byte>(public_key)),
                              raw(std::span<std::byte>(secret)), seed.data());
    wipe(secret);
    return public_key;
}

}  // namespace coffre
