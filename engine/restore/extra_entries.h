// What a restored folder holds beside the snapshot: `--delete` removes it.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/restore/context.h"

namespace coffre {

// Of one folder, as far as it was entered.
struct WantedEntries {
    std::set<std::string> names;  // what the snapshot has in it; for --delete
    bool are_told_apart = true;   // false: one of them was met under another's name
};

// Removes what is in the folder, is selected and is not wanted, and tells of it. A dry run only
// tells. Throws SourceError, and removes nothing, when the snapshot may not have had all that was
// in the folder, or when it lies in what is in use.
void delete_extra_entries(RestoreContext& context, SelectionVisitor::Left const& left,
                          WantedEntries const& wanted);

}  // namespace coffre
