// Memory for keys: locked, guarded, kept out of core files, wiped when released.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "format/config.h"

namespace coffre {

// Prepares libsodium; safe to call often. Throws RepositoryError when it cannot.
void prepare_crypto();

// 32 bytes of key in libsodium's guarded memory.
class SecretKey {
public:
    SecretKey();  // zeros
    explicit SecretKey(ByteView bytes);
    static SecretKey random();

    ByteView view() const { return {bytes_.get(), size}; }
    unsigned char const* data() const;
    std::span<std::byte> writable() { return {bytes_.get(), size}; }
    Key copy() const;

    static constexpr std::size_t size = 32;

private:
    struct Free {
        void operator()(std::byte* bytes) const;
    };
    std::unique_ptr<std::byte, Free> bytes_;
};

// Overwrites in a way that the compiler keeps.
void wipe(std::span<std::byte> bytes);
void wipe(std::string& text);

// The system's random bytes: for keys, names and salts.
void fill_random(std::span<std::byte> bytes);
// What only has to look random, in any amount: a stream cipher's output, of a key that is drawn.
void fill_noise(std::span<std::byte> bytes);

template <class IdType>
IdType random_id() {
    IdType id;
    fill_random(id.bytes);
    return id;
}

}  // namespace coffre
