#include "engine/crypto/secret.h"

#include <sodium.h>

#include <array>
#include <cstring>
#include <new>

#include "engine/error.h"

namespace coffre {

namespace {

constexpr std::size_t drawn_at_once = 4096;

}  // namespace

void prepare_crypto() {
    if (::sodium_init() < 0) {
        throw RepositoryError(RepositoryFailure::failed, "libsodium cannot be initialised");
    }
}

void SecretKey::Free::operator()(std::byte* bytes) const {
    ::sodium_free(bytes);
}

SecretKey::SecretKey() {
    prepare_crypto();
    bytes_.reset(static_cast<std::byte*>(::sodium_malloc(size)));
    if (!bytes_) throw std::bad_alloc();
    std::memset(bytes_.get(), 0, size);
}

SecretKey::SecretKey(ByteView bytes) : SecretKey() {
    if (bytes.size() != size) {
        throw RepositoryError(RepositoryFailure::failed, "a key must have 32 bytes");
    }
    std::memcpy(bytes_.get(), bytes.data(), size);
}

SecretKey SecretKey::random() {
    SecretKey key;
    fill_random(key.writable());
    return key;
}

unsigned char const* SecretKey::data() const {
    return static_cast<unsigned char const*>(static_cast<void const*>(bytes_.get()));
}

Key SecretKey::copy() const {
    Key key;
    std::memcpy(key.data(), bytes_.get(), size);
    return key;
}

void wipe(std::span<std::byte> bytes) {
    ::sodium_memzero(bytes.data(), bytes.size());
}

void wipe(std::string& text) {
    ::sodium_memzero(text.data(), text.size());
    text.clear();
}

void fill_random(std::span<std::byte> bytes) {
    prepare_crypto();
    if (bytes.size() <= drawn_at_once) return ::randombytes_buf(bytes.data(), bytes.size());
    // The kernel's are slow: a stream cipher makes many of few.
    std::array<unsigned char, randombytes_SEEDBYTES> seed;
    ::randombytes_buf(seed.data(), seed.size());
    ::randombytes_buf_deterministic(bytes.data(), bytes.size(), seed.data());
    ::sodium_memzero(seed.data(), seed.size());
}

}  // namespace coffre
