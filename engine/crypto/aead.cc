#include "engine/crypto/aead.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "engine/crypto/wide_aes.h"
#include "engine/error.h"
#include "engine/util/raw_bytes.h"

namespace coffre {

namespace {

struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { ::EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

template <Cipher cipher>
EVP_CIPHER const* algorithm() {
    static EVP_CIPHER const* const fetched = ::EVP_CIPHER_fetch(
        nullptr, cipher == Cipher::aes_256_gcm ? "AES-256-GCM" : "ChaCha20-Poly1305", nullptr);
    return fetched;
}

void require(bool ok) {
    if (!ok) throw RepositoryError(RepositoryFailure::failed, "OpenSSL refuses to work");
}

int length(ByteView bytes) {
    return static_cast<int>(bytes.size());
}

template <Cipher cipher>
void encrypt(SecretKey const& key, ByteView authenticated, ByteView content,
             std::span<std::byte> sealed) {
    Context const context(::EVP_CIPHER_CTX_new());
    int written = 0;
    require(context && ::EVP_EncryptInit_ex(context.get(), algorithm<cipher>(), nullptr, key.data(),
                                            aead_nonce.data()) == 1);
    require(::EVP_EncryptUpdate(context.get(), nullptr, &written, raw(authenticated),
                                length(authenticated)) == 1);
    require(::EVP_EncryptUpdate(context.get(), raw(sealed), &written, raw(content),
                                length(content)) == 1);
    require(::EVP_EncryptFinal_ex(context.get(), nullptr, &written) == 1);
    require(::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, aead_tag_size,
                                  raw(sealed.last(aead_tag_size))) == 1);
}

template <Cipher cipher>
bool decrypt(SecretKey const& key, ByteView authenticated, ByteView sealed,
             std::span<std::byte> content) {
    std::array<std::byte, aead_tag_size> tag;
    std::copy_n(sealed.last(aead_tag_size).begin(), aead_tag_size, tag.begin());
    Context const context(::EVP_CIPHER_CTX_new());
    int written = 0;
    require(context && ::EVP_DecryptInit_ex(context.get(), algorithm<cipher>(), nullptr, key.data(),
                                            aead_nonce.data()) == 1);
    require(::EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG, aead_tag_size,
                                  tag.data()) == 1);
    require(::EVP_DecryptUpdate(context.get(), nullptr, &written, raw(authenticated),
                                length(authenticated)) == 1);
    require(::EVP_DecryptUpdate(context.get(), raw(content), &written, raw(sealed),
                                length(content)) == 1);
    return ::EVP_DecryptFinal_ex(context.get(), nullptr, &written) == 1;
}

std::vector<Aead> aes_forms() {
    std::vector<Aead> forms;
    if (auto const wide = wide_aes()) forms.push_back(*wide);
    forms.push_back({encrypt<Cipher::aes_256_gcm>, decrypt<Cipher::aes_256_gcm>});
    return forms;
}

}  // namespace

std::vector<Aead> const& aeads(Cipher cipher) {
    static std::vector<Aead> const aes = aes_forms();
    static std::vector<Aead> const chacha{
        {encrypt<Cipher::chacha20_poly1305>, decrypt<Cipher::chacha20_poly1305>}};
    return cipher == Cipher::aes_256_gcm ? aes : chacha;
}

}  // namespace coffre
