// Small files of this machine: read whole, replaced whole and durably.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>

#include "format/bytes.h"

namespace coffre {

// Nothing when there is no such file. Throws SourceError when it cannot be read or is larger than
// `limit` bytes.
std::optional<std::string> read_small_file(std::string const& path, std::size_t limit);

// The file holds `content` or what it held before, whatever happens. Mode 0600. Throws SourceError.
void replace_small_file(std::string const& path, std::string const& content);

// A new file, mode 0600, that holds all of `content` and is durable. False when there is one of
// that name. Throws SourceError.
bool create_small_file(std::string const& path, ByteView content);

// As `mkdir -p -m 700`. Throws SourceError.
void make_folders(std::string const& path);

}  // namespace coffre
