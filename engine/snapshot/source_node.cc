#include "engine/snapshot/source_node.h"

#include "format/mutant.h"

#include <grp.h>
#include <pwd.h>

#include <vector>

namespace coffre {

namespace {

constexpr std::int64_t racy_seconds = 2;
constexpr std::size_t entry_buffer = 64 * std::size_t{1024};

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

TimePoint time_of(struct timespec const& time) {
    return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

}  // namespace

std::string const& SourceNodes::user(std::uint32_t uid) {
    auto const [known, is_new] = users_.try_emplace(uid);
    if (is_new) {
        std::vector<char> buffer(entry_buffer);
        struct passwd entry {};
        struct passwd* found = nullptr;
        ::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
        if (found != nullptr) known->second = found->pw_name;
    }
    return known->second;
}

std::string const& SourceNodes::group(std::uint32_t gid) {
    auto const [known, is_new] = groups_.try_emplace(gid);
    if (is_new) {
        std::vector<char> buffer(entry_buffer);
        struct group entry {};
        struct group* found = nullptr;
        ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
        if (found != nullptr) known->second = found->gr_name;
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
    node.user = user(status.st_uid);
    node.group = group(status.st_gid);
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
