#include "engine/snapshot/source_node.h"

#include <algorithm>
#include <utility>

#include "engine/error.h"
#include "engine/util/owners.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::int64_t racy_seconds = 2;

NodeKind kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFDIR:
            return NodeKind::directory;
        case S_IFLNK:
            return NodeKind::symlink;
        case S_IFIFO:
            return NodeKind::fifo;
        case S_IFSOCK:
            return NodeKind::socket;
        case S_IFCHR:
            return NodeKind::char_device;
        case S_IFBLK:
            return NodeKind::block_device;
        default:
            return NodeKind::file;
    }
}

// A damaged file system may tell any nanoseconds.
TimePoint time_of(struct timespec const& time) {
    return {time.tv_sec, static_cast<std::uint32_t>(std::clamp(time.tv_nsec, 0L, 999'999'999L))};
}

}  // namespace

template <class LookUp>
std::string const& SourceNodes::known(std::map<std::uint32_t, std::string>& names,
                                      std::uint32_t number, LookUp const& look_up) {
    auto const [known, is_new] = names.try_emplace(number);
    if (!is_new) return known->second;
    try {
        known->second = look_up(number).value_or("");
        if (known->second.size() > limits::owner_name_size) known->second.clear();
    } catch (SourceError const& error) {
        failure_ = std::string(error.what()) + "; only its number is saved";
    }
    return known->second;
}

Node SourceNodes::make(std::string name, struct stat const& status) {
    Node node;
    node.name = std::move(name);
    node.kind = kind_of(status.st_mode);
    node.mode = status.st_mode & 07777U;
    node.uid = status.st_uid;
    node.gid = status.st_gid;
    node.user = known(users_, status.st_uid, name_of_user);
    node.group = known(groups_, status.st_gid, name_of_group);
    node.mtime = time_of(status.st_mtim);
    node.ctime = time_of(status.st_ctim);
    node.inode = status.st_ino;
    node.device = status.st_dev;
    node.links = status.st_nlink;
    if (node.is_file()) node.size = static_cast<std::uint64_t>(status.st_size);
    if (node.kind == NodeKind::char_device || node.kind == NodeKind::block_device) {
        node.device_number = status.st_rdev;
    }
    return node;
}

bool is_unchanged(Node const& now, Node const& before, std::int64_t parent_started_ns) {
    std::int64_t const started = parent_started_ns / 1'000'000'000;
    TimePoint const settled{started - racy_seconds, 0};
    // A modification time that somebody set to long after: whatever is written later has another.
    TimePoint const far_ahead{started + racy_seconds, 0};
    bool const is_settled =
        (now.ctime < settled && (now.mtime < settled || now.mtime > far_ahead)) ||
        mutant("trust-fresh-times");
    return now.kind == before.kind && (before.flags & node_flags::stream) == 0 &&
           (before.flags & node_flags::unstable) == 0 && now.size == before.size &&
           now.inode == before.inode && now.mtime == before.mtime &&
           (now.ctime == before.ctime || mutant("no-ctime")) && is_settled;
}

}  // namespace coffre
