#include "engine/snapshot/unwritten_pages.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>

#include "engine/util/clock.h"

namespace coffre {

namespace {

// In seconds: the kernel writes what is older, with the usual settings after 35.
constexpr std::int64_t longest_unwritten = 60;
constexpr unsigned most_files = 64;

// An overlay has no pages of its own, and says that they are written.
bool is_on_overlay(int file) {
    struct statfs system {};
    return ::fstatfs(file, &system) == 0 && system.f_type == OVERLAYFS_SUPER_MAGIC;
}

void write_pages(int file) {
    constexpr unsigned how =
        SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER;
    if (is_on_overlay(file) || ::sync_file_range(file, 0, 0, how) != 0) ::fdatasync(file);
}

}  // namespace

void UnwrittenPages::write(Fd const& file, struct stat const& status) {
    auto const changed = std::max(status.st_mtim.tv_sec, status.st_ctim.tv_sec);
    if (now_ns() / second_ns - changed > longest_unwritten) return;
    // What changed after that is read again by the next run anyway.
    if (synced_.contains(status.st_dev)) return;
    if (++files_ <= most_files) return write_pages(file.get());
    synced_.insert(status.st_dev);
    ::syncfs(file.get());
}

}  // namespace coffre
