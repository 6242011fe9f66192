// Patterns as they are typed, or stand in a file.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/patterns.h"

namespace coffre::cli {

// Adds the pattern. "./cache" is that of the working folder, not each of that name. Throws
// std::invalid_argument.
void add_pattern(PatternList& patterns, std::string const& pattern);
// The same of what is restored to `target`: where the working folder lies in that, "./cache" is the
// one there, too.
void add_restore_pattern(PatternList& patterns, std::string const& pattern,
                         std::string const& target);

}  // namespace coffre::cli
