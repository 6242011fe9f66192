// Names are bytes; most are text in UTF-8.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace coffre {

// The length in bytes of the UTF-8 sequence (RFC 3629) that begins at `at`, which lies in the text;
// 0 when none does.
std::size_t utf8_length(std::string const& text, std::size_t at);

bool is_utf8(std::string const& text);

}  // namespace coffre
