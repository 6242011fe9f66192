// What somebody may have meant who mistyped a word.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <vector>

#include "cli/context.h"

namespace coffre::cli {

// How many letters must be put in, left out, replaced or swapped with the next to make `a` of `b`.
// Algorithm: optimal string alignment (Damerau, 1964, restricted to one edit of a pair).
std::size_t edit_distance(std::string const& a, std::string const& b);

// The nearest of `words`; empty when none is near.
std::string nearest(std::string const& word, std::vector<std::string> const& words);

// Of a command line that could not be parsed: which word or option is unknown, and what may be
// meant. Empty when all are known.
std::string unknown_word(CLI::App const& app);

}  // namespace coffre::cli
