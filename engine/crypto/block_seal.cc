#include "engine/crypto/block_seal.h"

#include <openssl/evp.h>
#include <sodium.h>

#include <algorithm>
#include <memory>

#include "engine/crypto/kdf.h"
#include "engine/error.h"
#include "engine/util/raw_bytes.h"

namespace coffre {

namespace {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { ::EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

constexpr std::array<unsigned char, 12> zero_nonce{};

EVP_CIPHER const* algorithm(Cipher cipher) {
    static EVP_CIPHER const* const aes = ::EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
    static EVP_CIPHER const* const chacha =
        ::EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);
    return cipher == Cipher::aes_256_gcm ? aes : chacha;
}

void require(bool ok) {
    if (!ok) throw RepositoryError(RepositoryFailure::failed, "OpenSSL refuses to work");
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

int length(ByteView bytes) {
    return static_cast<int>(bytes.size());
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
    Bytes const extra = authenticated(key, repository);
    Context const context(::EVP_CIPHER_CTX_new());
    int written = 0;
    require(context && ::EVP_EncryptInit_ex(context.get(), algorithm(key.cipher), nullptr,
                                            block_key.data(), zero_nonce.data()) == 1);
    require(::EVP_EncryptUpdate(context.get(), nullptr, &written, raw(extra), length(extra)) == 1);
    require(::EVP_EncryptUpdate(context.get(), raw(sealed.subspan(block_salt_size)), &written,
                                raw(content), length(content)) == 1);
    require(::EVP_EncryptFinal_ex(context.get(), nullptr, &written) == 1);
    require(::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, block_tag_size,
                                  raw(sealed.last(block_tag_size))) == 1);
}

Bytes unseal_block(SessionKey const& key, RepositoryId const& repository, ByteView sealed) {
    if (key.cipher == Cipher::none) return {sealed.begin(), sealed.end()};
    if (sealed.size() < block_salt_size + block_tag_size) throw FormatError("block too short");
    ByteView const body =
        sealed.subspan(block_salt_size, sealed.size() - block_salt_size - block_tag_size);
    SecretKey const& block_key = key_of_block(key, sealed.first(block_salt_size));
    Bytes const extra = authenticated(key, repository);
    std::array<std::byte, block_tag_size> tag;
    std::copy_n(sealed.last(block_tag_size).begin(), block_tag_size, tag.begin());
    Bytes content = Bytes::uncleared(body.size());
    Context const context(::EVP_CIPHER_CTX_new());
    int written = 0;
    require(context && ::EVP_DecryptInit_ex(context.get(), algorithm(key.cipher), nullptr,
                                            block_key.data(), zero_nonce.data()) == 1);
    require(::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, block_tag_size,
                                  tag.data()) == 1);
    require(::EVP_DecryptUpdate(context.get(), nullptr, &written, raw(extra), length(extra)) == 1);
    require(::EVP_DecryptUpdate(context.get(), raw(content), &written, raw(body), length(body)) ==
            1);
    if (::EVP_DecryptFinal_ex(context.get(), nullptr, &written) != 1) {
        throw FormatError("block is not what was sealed");
    }
    return content;
}

}  // namespace coffre
