#include "engine/crypto/secret.h"

#include <sodium.h>

#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <vector>

#include "engine/error.h"

namespace coffre {

namespace {

// Places for keys in pages of libsodium's guarded memory. A page of its own for each key would take
// four mappings, of which a process may have some ten thousands; a repository has a key of each run
// that stored anything.
class KeyPages {
public:
    std::byte* take() {
        std::lock_guard const lock(mutex_);
        if (free_.empty()) add_page();
        std::byte* const place = free_.back();
        free_.pop_back();
        return place;
    }
    void give_back(std::byte* place) {
        ::sodium_memzero(place, SecretKey::size);
        std::lock_guard const lock(mutex_);
        free_.push_back(place);
    }

private:
    static constexpr std::size_t page = 4096;

    void add_page() {
        free_.reserve(free_.capacity() + page / SecretKey::size);
        auto* const begin = static_cast<std::byte*>(::sodium_malloc(page));
        if (begin == nullptr) throw std::bad_alloc();
        std::memset(begin, 0, page);
        for (std::size_t at = 0; at < page; at += SecretKey::size) free_.push_back(begin + at);
    }

    std::mutex mutex_;
    std::vector<std::byte*> free_;  // by mutex_
};

// Outlives every key.
KeyPages& key_pages() {
    static auto* const pages = new KeyPages;
    return *pages;
}

}  // namespace

void prepare_crypto() {
    if (::sodium_init() < 0) {
        throw RepositoryError(RepositoryFailure::failed, "libsodium cannot be initialised");
    }
}

void SecretKey::Free::operator()(std::byte* bytes) const {
    key_pages().give_back(bytes);
}

SecretKey::SecretKey() {
    prepare_crypto();
    bytes_.reset(key_pages().take());
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
    ::randombytes_buf(bytes.data(), bytes.size());
}

void fill_noise(std::span<std::byte> bytes) {
    std::array<unsigned char, randombytes_SEEDBYTES> seed;
    fill_random(std::as_writable_bytes(std::span(seed)));
    ::randombytes_buf_deterministic(bytes.data(), bytes.size(), seed.data());
    ::sodium_memzero(seed.data(), seed.size());
}

}  // namespace coffre
