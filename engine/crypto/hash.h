// BLAKE3 for identities and digests, XXH3 for accidents.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>

#include "engine/crypto/secret.h"
#include "format/id.h"
#include "format/pack.h"

namespace coffre {

// Names plaintext: keyed BLAKE3-256, with one key for data and one for meta.
// Source: O'Connor, Aumasson, Neves, Wilcox-O'Hearn, "BLAKE3", 2020.
class ChunkNamer {
public:
    // The two keys are derived from `id_key`, the repository's.
    explicit ChunkNamer(SecretKey const& id_key);

    ChunkId name(PackKind kind, ByteView plaintext) const;
    // Where the pieces of a directory are cut: depends on the entry's name alone.
    std::uint64_t cut_prefix(std::string_view entry_name) const;

private:
    SecretKey data_key_;
    SecretKey meta_key_;
    SecretKey cut_key_;
};

// Unkeyed BLAKE3-256, in parts.
class Blake3 {
public:
    Blake3();
    Blake3(Blake3&&) noexcept;
    Blake3& operator=(Blake3&&) noexcept;
    Blake3(Blake3 const&) = delete;
    Blake3& operator=(Blake3 const&) = delete;
    ~Blake3();
    void update(ByteView bytes);
    Digest digest() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// XXH3-64 with seed 0.
std::uint64_t xxh3(ByteView bytes);
// XXH3-64 of `bytes` with a secret seed: tells a value that this program wrote from any other.
std::uint64_t xxh3_keyed(ByteView bytes, std::uint64_t seed);

// Whether a changed version is all that is wrong with the object, whose checksum is its last 8
// bytes: it is damaged, then, and not of a later version.
bool has_damaged_version(ByteView object);

// XXH3-128 of a whole file, in parts.
class FileHasher {
public:
    FileHasher();
    FileHasher(FileHasher&&) noexcept;
    FileHasher& operator=(FileHasher&&) noexcept;
    FileHasher(FileHasher const&) = delete;
    FileHasher& operator=(FileHasher const&) = delete;
    ~FileHasher();
    void update(ByteView bytes);
    FileHash hash() const;
    void reset();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace coffre
