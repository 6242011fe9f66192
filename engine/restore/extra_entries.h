// What a restored folder holds beside the snapshot: `--delete` removes it.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>
#include <string>

#include "engine/restore/context.h"

namespace coffre {

// Removes what is in the folder, is selected and is none of the `wanted` names, and tells of it. A
// dry run only tells. Throws SourceError, and removes nothing, when the snapshot may not have had
// all that was in the folder, or when it lies in what is in use.
void delete_extra_entries(RestoreContext& context, SelectionVisitor::Left const& left,
                          std::set<std::string> const& wanted);

}  // namespace coffre
