// Removes what is in the target, with all that is in it.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engine/restore/file_identity.h"

namespace coffre {

// An entry of a folder, as it is met. No link is followed.
struct FoundEntry {
    FileIdentity identity;
    bool is_folder = false;
    bool is_mount_point = false;
};

// Sets errno and returns nothing when it cannot be looked at. `device` is that of the folder.
std::optional<FoundEntry> find_entry(int folder, std::string const& name, dev_t device);

// The names in the folder, in no order. Throws SourceError naming `path`.
std::vector<std::string> names_in(Fd folder, std::string const& path);

struct Removal {
    // What stays, and with it the folders that lead to it.
    std::function<bool(std::string const& path, FoundEntry const& entry)> keeps;
    std::function<void(std::string const& path)> removed = [](std::string const&) {};
    bool dry_run = false;  // only says what would be removed
};

// Removes the entry `name` of `folder`, whose path in the target is `path`. Returns how many things
// were removed. Throws SourceError.
std::uint64_t remove_entry(Fd folder, std::string const& name, std::string const& path,
                           Removal const& how);

}  // namespace coffre
