// What a call of the system could not do to a file that is restored.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/error.h"
#include "engine/util/fd.h"

namespace coffre {

// Throws "cannot <doing>: <the text of errno>".
[[noreturn]] inline void fail(std::string const& path, std::string const& doing) {
    throw SourceError(path, "cannot " + doing + ": " + errno_text());
}

}  // namespace coffre
