// Bytes that are not what the format says they must be.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdexcept>

namespace coffre {

// Thrown by every decoder. The message says what was read, what was expected and what was found;
// the caller, who knows the object's name, adds it.
class FormatError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Written by a newer program: intact, but not for this one to read.
class UnsupportedFormat : public FormatError {
public:
    using FormatError::FormatError;
};

}  // namespace coffre
