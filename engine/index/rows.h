// The rows of the index's tables: how keys and values are written, and the check that each value
// carries.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/index/index.h"

namespace coffre {

enum IndexTable : std::uint8_t {
    chunks_table = 1,
    packs_table,
    numbers_table,
    bundles_table,
    directories_table,
    whole_table
};

// The value with its check, XXH3-64(table, key, value) under `seed`, behind it.
Bytes with_check(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed);
// The value, or nothing when its check does not fit.
std::optional<Bytes> checked(std::uint8_t table, ByteView key, Bytes stored, std::uint64_t seed);

// Keys ascend as numbers do.
Bytes number_key(PackNumber number);
PackNumber number_of_key(ByteView key);

Bytes place_value(ChunkPlace const& place);

}  // namespace coffre
