// The object `config`: what a repository is, from its first day on.
//
// docs/format.md, section "config".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/object.h"

namespace coffre {

enum class Mode : std::uint8_t { none = 0, encrypted = 1 };

using Key = std::array<std::byte, 32>;  // secret only where its owner says so

// Readable without a key; authenticated together with the rest.
struct ConfigPrefix {
    RepositoryId repository;
    Mode mode = Mode::encrypted;
    std::uint64_t required_features = 0;  // none are defined yet: any bit set is refused
    Key public_master{};                  // mode none: the key in place of a secret; else zeros

    bool operator==(ConfigPrefix const&) const = default;
};

struct ChunkerSizes {
    std::uint32_t min = 16 * 1024;
    std::uint32_t average = 64 * 1024;
    std::uint32_t max = 512 * 1024;

    bool operator==(ChunkerSizes const&) const = default;
};

// Sealed under the config key.
struct ConfigSecrets {
    Key chunker_key{};  // cuts are derived from it
    Key id_key{};       // chunk ids are derived from it
    ChunkerSizes chunker;
    Key box_public_key{};   // X25519: session keys of put-only clients are sealed to it
    Key sign_public_key{};  // Ed25519: checks forgets, log records and killed slots
    std::int64_t created_ns = 0;

    bool operator==(ConfigSecrets const&) const = default;
};

// Magic, version and kind included.
Bytes encode_config_prefix(ConfigPrefix const& prefix);
// Reads the prefix and leaves `in` at the sealed rest.
ConfigPrefix decode_config_prefix(Reader& in);

Bytes encode_config_secrets(ConfigSecrets const& secrets);
ConfigSecrets decode_config_secrets(ByteView bytes);

// Throws FormatError when the sizes break the rules of docs/format.md, section "Chunking".
void check_chunker_sizes(ChunkerSizes const& sizes);

}  // namespace coffre
