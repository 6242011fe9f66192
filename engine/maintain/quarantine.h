// Sets damaged objects aside: out of the way, and never destroyed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/backend/backend.h"

namespace coffre {

// Moves the object to names::quarantined(), durably. When it ends before its end the object is in
// both places, or in one of them. What is not there is left. Returns what was moved.
Bytes quarantine(Backend& store, std::string const& name);

}  // namespace coffre
