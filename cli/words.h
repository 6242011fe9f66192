// The words of a command line: what they mean before the parser takes them apart.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace coffre::cli {

// Those after the program's name, the last one first, as CLI::App::parse() takes them. "--name=" is
// an empty value, "[a,b]" is one word, and what follows "--" is no option or command: the parser
// would take the next word, make two of it, or forget about the "--".
std::vector<std::string> words_of(int argc, char const* const* argv);

// How many words follow "--".
std::size_t words_after_dashes(int argc, char const* const* argv);

// A message of the parser, without what words_of() has marked words with.
std::string readable(std::string message);

// Of all options of all commands: each takes one value, what follows it is a path; what words_of()
// has marked is as it was; and only where nothing is something, a value may be empty.
void restrict_options(CLI::App& app);

}  // namespace coffre::cli
