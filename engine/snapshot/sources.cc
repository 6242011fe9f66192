#include "engine/snapshot/sources.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "engine/util/fd.h"
#include "engine/util/paths.h"
#include "format/limits.h"

namespace coffre {

namespace {

bool is_same_entry(std::string const& path, std::string const& other) {
    struct stat a {};
    struct stat b {};
    return ::lstat(path.c_str(), &a) == 0 && ::lstat(other.c_str(), &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// Without links, but for the last component if that is a name.
std::string real_path(std::filesystem::path const& path, std::error_code& absent) {
    auto const name = path.filename();
    if (name.empty() || name == "." || name == "..")
        return std::filesystem::canonical(path, absent);
    auto const above = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    return std::filesystem::canonical(above, absent) / name;
}

// "link/" and "link/.." are where the link leads, for the kernel and for whoever writes so.
std::string clean(std::string const& path) {
    std::string absolute = std::filesystem::absolute(path).lexically_normal();
    while (absolute.size() > 1 && absolute.ends_with('/')) absolute.pop_back();
    std::error_code absent;
    std::string const real = real_path(path, absent);
    bool const leads_elsewhere =
        !absent && !is_same_entry(path, absolute) && is_same_entry(path, real);
    return leads_elsewhere ? real : absolute;
}

// Component-wise, so that what lies beneath a folder follows it at once.
bool comes_before(std::string const& a, std::string const& b) {
    auto const rank = [](char c) { return c == '/' ? 0 : static_cast<unsigned char>(c) + 1; };
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [&](char x, char y) { return rank(x) < rank(y); });
}

std::vector<std::string> without_nested(std::vector<std::string> const& paths) {
    std::vector<std::string> kept;
    for (auto const& path : paths) {
        if (!kept.empty() && (path == kept.back() || lies_beneath(path, kept.back()))) continue;
        kept.push_back(path);
    }
    return kept;
}

bool exists(std::string const& path) {
    return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void require_one(SnapshotRequest const& request, std::vector<std::string> const& paths) {
    if (!request.streams.empty() || std::any_of(paths.begin(), paths.end(), exists)) return;
    if (paths.empty()) throw SourceError("", "nothing to save: name a path or a stream");
    bool const is_hidden = !exists(paths[0]) && errno != ENOENT && errno != ENOTDIR;
    throw SourceError(paths[0],
                      paths[0] + (is_hidden ? ": " + errno_text() : ": none of the paths exists"));
}

// Whether saving the path puts something of this name at the snapshot's root.
bool takes_name(std::string const& path, std::string const& name) {
    if (path == "/") return exists("/" + name);
    return path.substr(1, path.find('/', 1) - 1) == name;
}

void require_free_names(SnapshotRequest const& request, std::vector<std::string> const& paths) {
    for (auto const& stream : request.streams) {
        for (auto const& path : paths) {
            if (!takes_name(path, stream->name())) continue;
            throw RepositoryError(RepositoryFailure::stream_failed,
                                  "stream \"" + stream->name() + "\": the name is taken by " +
                                      path + " at the root of the snapshot");
        }
    }
}

}  // namespace

SourcePaths source_paths(SnapshotRequest const& request) {
    if (request.paths.size() > limits::texts_per_list) {
        throw SourceError("", std::to_string(request.paths.size()) + " paths are more than the " +
                                  std::to_string(limits::texts_per_list) +
                                  " that a snapshot can have: name folders above them");
    }
    SourcePaths paths;
    for (auto const& path : request.paths) paths.named.push_back(clean(path));
    std::sort(paths.named.begin(), paths.named.end(), comes_before);
    paths.outermost = without_nested(paths.named);
    require_one(request, paths.outermost);
    require_free_names(request, paths.outermost);
    return paths;
}

}  // namespace coffre
