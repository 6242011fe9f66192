// Paths as text.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace coffre {

// "name" in an empty folder, "/name" in "/", else "folder/name".
inline std::string join_path(std::string_view folder, std::string_view name) {
    std::string path(folder);
    if (!path.empty() && path != "/") path += '/';
    return path += name;
}

// "a" for "a/b", "" for "b".
inline std::string folder_above(std::string const& path) {
    std::size_t const slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

// "b" for "a/b" and for "b"; also of an object's name.
inline std::string last_component(std::string const& path) {
    return path.substr(path.rfind('/') + 1);
}

// What stands between the slashes: "a", "b" for "/a//b/".
inline std::vector<std::string> components_of(std::string_view path) {
    std::vector<std::string> components;
    for (std::size_t start = 0; start < path.size();) {
        std::size_t const slash = std::min(path.find('/', start), path.size());
        if (slash > start) components.emplace_back(path.substr(start, slash - start));
        start = slash + 1;
    }
    return components;
}

// "/a/b" for "a/b", "/a/b/" and "/a//b"; "" for the root.
inline std::string absolute_path(std::string_view path) {
    std::string clean;
    for (auto const& component : components_of(path)) clean.append("/").append(component);
    return clean;
}

// Both absolute and without "." and "..".
inline bool lies_beneath(std::string const& path, std::string const& folder) {
    return folder == "/" || path.starts_with(folder + "/");
}

}  // namespace coffre
