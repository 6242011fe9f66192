// What a failure means for the exit code, and what to do next.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/error.h"

namespace coffre::cli {

// The exit code and the advice that go with a failure, of this command; the advice may be empty.
int exit_code_of(RepositoryFailure failure);
std::string advice_for(RepositoryFailure failure, std::string const& command);

}  // namespace coffre::cli
