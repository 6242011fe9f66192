#include "engine/snapshot/estimate.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/util/fd.h"
#include "engine/util/paths.h"

namespace coffre {

Estimate::Estimate(std::vector<std::string> const& paths, Exclusions const& exclude,
                   Progress& progress)
    : exclude_(exclude), progress_(progress) {
    thread_ = std::jthread([this, paths](std::stop_token const& stop) { count(stop, paths); });
}

void Estimate::count(std::stop_token const& stop, std::vector<std::string> const& paths) {
    std::vector<Folder> todo;
    for (auto const& path : paths) {
        struct stat status {};
        if (::lstat(path.c_str(), &status) == 0) add(path, status, todo);
    }
    while (!todo.empty()) {
        Folder const folder = std::move(todo.back());
        todo.pop_back();
        count_folder(stop, folder, todo);
        if (stop.stop_requested()) return;
    }
    progress_.total_files = files_;
    progress_.total_bytes = bytes_;
}

void Estimate::count_folder(std::stop_token const& stop, Folder const& folder,
                            std::vector<Folder>& found) {
    OpenFolder const dir(::opendir(folder.path.c_str()));
    if (!dir) return;
    while (auto const* entry = stop.stop_requested() ? nullptr : ::readdir(dir.get())) {
        std::string_view const name = entry->d_name;
        if (name == "." || name == "..") continue;
        std::string const path = join_path(folder.path, name);
        struct stat status {};
        int const result =
            ::fstatat(::dirfd(dir.get()), entry->d_name, &status, AT_SYMLINK_NOFOLLOW);
        if (result != 0 || exclude_.patterns.matches(path)) continue;
        if (exclude_.other_file_systems && status.st_dev != folder.device) continue;
        if (exclude_.repository == std::pair(status.st_dev, status.st_ino)) continue;
        add(path, status, found);
    }
}

void Estimate::add(std::string const& path, struct stat const& status, std::vector<Folder>& found) {
    if (S_ISDIR(status.st_mode)) found.push_back({path, status.st_dev});
    if (!S_ISREG(status.st_mode)) return;
    auto const size = static_cast<std::uint64_t>(status.st_size);
    if (exclude_.larger_than && size > *exclude_.larger_than) return;
    ++files_;
    bytes_ += size;
}

}  // namespace coffre
