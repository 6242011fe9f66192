#include "cli/snapshot_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "cli/output.h"
#include "engine/status.h"

namespace coffre::cli {

namespace {

bool is_among(std::filesystem::path const& target, std::vector<std::string> const& paths) {
    return std::any_of(paths.begin(), paths.end(), [&](std::string const& path) {
        std::error_code unreadable;
        if (std::filesystem::is_symlink(std::filesystem::symlink_status(path, unreadable)))
            return false;
        auto const inner =
            target.lexically_relative(std::filesystem::weakly_canonical(path, unreadable));
        return !inner.empty() && *inner.begin() != "..";
    });
}

}  // namespace

// Many keep a repository beside its sources knowingly, and copy it: they are told when they ask.
void warn_of_same_disk(GlobalOptions const& options, std::vector<std::string> const& beside) {
    if (options.verbose > 0 && !options.quiet) print_warning(options, same_disk_text(beside));
}

bool look_at_file_systems(GlobalOptions const& options, bool require_offsite,
                          std::vector<std::string> const& paths) {
    auto const beside = sharing_a_file_system(repository_location(options), paths);
    if (beside.empty()) return false;
    if (require_offsite) {
        throw RepositoryError(RepositoryFailure::failed,
                              same_disk_text(beside) + " (--require-offsite): nothing was saved");
    }
    warn_of_same_disk(options, beside);
    return true;
}

// What is meant is often what it names.
void warn_of_links(GlobalOptions const& options, std::vector<std::string> const& paths) {
    for (auto const& path : paths) {
        std::error_code unreadable;
        if (!std::filesystem::is_symlink(std::filesystem::symlink_status(path, unreadable)))
            continue;
        auto const target = std::filesystem::canonical(path, unreadable);
        if (unreadable || is_among(target, paths)) continue;
        print_warning(options,
                      fmt::format("{} is a symbolic link, and saved as such: name {} to save what "
                                  "is there",
                                  path, target.string()));
    }
}

void warn_of_exclusions(GlobalOptions const& options, SnapshotResult const& result) {
    if (!result.left_out.empty())
        print_warning(options, result.left_out + ": the repository is left out");
    if (result.spared.empty()) return;
    std::string const others =
        result.spared.size() == 1 ? "" : fmt::format(" (and {} more)", result.spared.size() - 1);
    print_warning(options, result.spared[0] + others +
                               ": saved although an exclusion matches, since it is named itself, "
                               "or lies above what is; name a folder above it to leave it out");
}

}  // namespace coffre::cli
