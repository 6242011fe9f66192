#include "engine/restore/paths_in_use.h"

#include <fcntl.h>

#include <filesystem>

namespace coffre {

namespace {

Fd open_folder(int from, char const* name) {
    return Fd(::openat(from, name, O_PATH | O_DIRECTORY | O_CLOEXEC));
}

std::string const* find_in(std::map<FileIdentity, std::string> const& known,
                           FileIdentity const& entry) {
    auto const found = known.find(entry);
    return found == known.end() ? nullptr : &found->second;
}

}  // namespace

PathsInUse::PathsInUse(std::vector<std::string> const& paths) {
    for (auto const& path : paths) {
        std::error_code absent;
        auto const real = std::filesystem::canonical(path, absent);
        struct stat status {};
        if (absent || ::stat(real.c_str(), &status) != 0) continue;
        paths_.try_emplace(identity_of(status), path);
        for (auto at = real; at.has_relative_path(); at = at.parent_path()) {
            if (::lstat(at.c_str(), &status) == 0) holders_.try_emplace(identity_of(status), path);
        }
    }
}

std::string const* PathsInUse::at(FileIdentity const& entry) const {
    return find_in(paths_, entry);
}

std::string const* PathsInUse::held_by(FileIdentity const& entry) const {
    return find_in(holders_, entry);
}

std::string const* PathsInUse::around(Fd const& folder) const {
    if (paths_.empty()) return nullptr;
    Fd at = open_folder(folder.get(), ".");
    while (at) {
        auto const identity = identity_of(at, "..");
        if (auto const* const path = find_in(paths_, identity)) return path;
        Fd above = open_folder(at.get(), "..");
        if (above && identity_of(above, "..") == identity) return nullptr;
        at = std::move(above);
    }
    return nullptr;
}

}  // namespace coffre
