// Bounds that a decoder checks before it reserves memory, and a writer before it writes.
// docs/format.md, section "Limits".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

namespace coffre::limits {

inline constexpr std::uint64_t kib = 1024;
inline constexpr std::uint64_t mib = 1024 * kib;

inline constexpr std::uint64_t chunk_size = 8 * mib;          // plaintext of one chunk
inline constexpr std::uint64_t block_plain_size = 16 * mib;   // plaintext of one block
inline constexpr std::uint64_t block_stored_size = 17 * mib;  // sealed block
inline constexpr std::uint64_t pack_size = 128 * mib;         // a whole pack
inline constexpr std::uint64_t object_size = 256 * mib;       // any other object
inline constexpr std::uint64_t blocks_per_pack = 1U << 20U;
inline constexpr std::uint64_t chunks_per_block = 1U << 18U;
inline constexpr std::uint64_t keys_per_pack = 4096;
inline constexpr std::uint64_t wrapped_key_size = 256;
inline constexpr std::uint64_t delta_depth = 8;
inline constexpr std::uint64_t delta_bases = 64;
inline constexpr std::uint64_t packs_per_bundle = 1U << 16U;
inline constexpr std::uint64_t list_min_entries = 64;  // recipes and directory pieces
inline constexpr std::uint64_t list_max_entries = 1024;
inline constexpr std::uint64_t piece_target = 1 * mib;  // a directory's piece ends there
inline constexpr std::uint64_t inline_entries = 32;     // above: a recipe
inline constexpr std::uint64_t recipe_levels = 8;
inline constexpr std::uint64_t name_size = 255;
inline constexpr std::uint64_t link_target_size = 64 * kib;
inline constexpr std::uint64_t owner_name_size = 1024;
inline constexpr std::uint64_t xattrs_per_node = 4096;
inline constexpr std::uint64_t xattr_value_size = 1 * mib;
inline constexpr std::uint64_t xattrs_size = 2 * mib;  // names and values of one node
inline constexpr std::uint64_t holes_per_node = 1U << 16U;
inline constexpr std::uint64_t tree_depth = 16384;
inline constexpr std::uint64_t text_size = 64 * kib;  // one path, tag or message
inline constexpr std::uint64_t texts_per_list = 1U << 20U;
inline constexpr std::uint64_t log_entries = 1U << 24U;
inline constexpr std::uint64_t masters_per_slot = 1024;

}  // namespace coffre::limits
