// Users and groups as this machine knows them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

namespace coffre {

// Nothing when there is none. Throws SourceError when it cannot be looked up.
std::optional<std::string> name_of_user(uid_t number);
std::optional<std::string> name_of_group(gid_t number);
std::optional<uid_t> user_of_name(std::string const& name);
std::optional<gid_t> group_of_name(std::string const& name);

}  // namespace coffre
