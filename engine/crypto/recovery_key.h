// A passphrase to be printed and typed back.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace coffre {

// 26 random digits of Crockford's base 32 and 2 of their checksum: "7GQX-...".
std::string random_recovery_key();

// The recovery key that was typed, as random_recovery_key() gave it; any other passphrase as it is.
std::string as_recovery_key(std::string const& typed);

// True for what looks like a recovery key with a typing mistake.
bool is_mistyped_recovery_key(std::string const& typed);

}  // namespace coffre
