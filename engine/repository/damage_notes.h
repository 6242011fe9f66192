// Packs that this machine met damaged, whichever command it was, and has not read whole since.
//
// Each is an empty file of its name in the folder "damaged" of what this machine keeps of the
// repository: no part of the repository. Where one cannot be kept, a check finds out anew.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <string>

#include "format/id.h"

namespace coffre {

// Durable only by chance. Any thread.
void note_damaged(std::string const& folder, PackId const& pack);
void note_sound(std::string const& folder, PackId const& pack);

std::set<PackId> noted_damaged(std::string const& folder);

}  // namespace coffre
