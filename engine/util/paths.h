// Paths as text.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace coffre {

// "name" in an empty folder, "/name" in "/", else "folder/name".
inline std::string join_path(std::string_view folder, std::string_view name) {
    std::string path(folder);
    if (!path.empty() && path != "/") path += '/';
    return path += name;
}

// Both absolute and without "." and "..".
inline bool lies_beneath(std::string const& path, std::string const& folder) {
    return folder == "/" || path.starts_with(folder + "/");
}

}  // namespace coffre
