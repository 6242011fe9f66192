#include "engine/restore/metadata.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/restore/failure.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t entry_buffer = 64 * std::size_t{1024};
constexpr std::size_t known_owners = 4096;
constexpr mode_t set_id = S_ISUID | S_ISGID;

std::array<struct timespec, 2> times_of(Node const& node) {
    return {timespec{0, UTIME_OMIT}, timespec{static_cast<time_t>(node.mtime.seconds),
                                              static_cast<long>(node.mtime.nanoseconds)}};
}

bool has_mtime(struct stat const& there, Node const& node) {
    return there.st_mtim.tv_sec == node.mtime.seconds &&
           static_cast<std::uint32_t>(there.st_mtim.tv_nsec) == node.mtime.nanoseconds;
}

// True when the owner is set. Who is not root cannot give files away: the owner is then the one who
// restores.
bool owner_is_set(std::string const& path, int result) {
    if (result == 0) return true;
    if (errno == EPERM && ::geteuid() != 0) return false;
    fail(path, "set the owner");
}

std::optional<uid_t> user_number(std::string const& name) {
    std::vector<char> buffer(entry_buffer);
    struct passwd entry {};
    struct passwd* found = nullptr;
    ::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? std::optional(found->pw_uid) : std::nullopt;
}

std::optional<gid_t> group_number(std::string const& name) {
    std::vector<char> buffer(entry_buffer);
    struct group entry {};
    struct group* found = nullptr;
    ::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return found != nullptr ? std::optional(found->gr_gid) : std::nullopt;
}

bool gives_rights(std::string const& attribute) {
    return attribute.starts_with("security.") || attribute.starts_with("trusted.");
}

}  // namespace

Metadata::Owner Metadata::owner_of(Node const& node) {
    Owner owner{node.uid, node.gid};
    if (request_.numeric_ids) return owner;
    std::lock_guard const lock(mutex_);
    if (users_.size() > known_owners) users_.clear();
    if (groups_.size() > known_owners) groups_.clear();
    auto const [user, is_new_user] = users_.try_emplace(node.user);
    if (is_new_user && !node.user.empty()) user->second = user_number(node.user);
    auto const [group, is_new_group] = groups_.try_emplace(node.group);
    if (is_new_group && !node.group.empty()) group->second = group_number(node.group);
    return {user->second.value_or(owner.user), group->second.value_or(owner.group)};
}

// A file that stays with whoever restores must not run with his rights. `kept`: set-id bits that
// are there already and may stay.
mode_t Metadata::mode_of(Node const& node, bool is_owner_set, mode_t kept) {
    bool const is_withheld = (!request_.privileged && !mutant("set-ids-for-all")) || !is_owner_set;
    mode_t const withheld = node.mode & set_id & ~kept;
    if (node.is_directory() || withheld == 0 || !is_withheld) return node.mode;
    ++set_ids_;
    return node.mode & ~withheld;
}

bool Metadata::may_set(Xattr const& attribute) const {
    return request_.privileged || !gives_rights(attribute.name);
}

// What a new file may have got without anybody's asking, or an old one has too many. The labels of
// security modules stay: they are this machine's.
bool Metadata::may_remove(std::string const& attribute) const {
    if (attribute.starts_with("user.") || attribute.starts_with("system.posix_acl_")) return true;
    bool const gives = attribute.starts_with("trusted.") || attribute == "security.capability";
    return gives && request_.privileged;
}

bool Metadata::attributes_fit(std::string const& path, int fd, Node const& node) const {
    std::vector<Xattr> there;
    try {
        there = Attributes::of_open(fd).read();
    } catch (SourceError const& error) {
        throw SourceError(path, error.what());
    }
    std::erase_if(there, [&](Xattr const& x) { return !may_set(x); });
    std::vector<Xattr> wanted = node.xattrs;
    std::erase_if(wanted, [&](Xattr const& x) { return !may_set(x); });
    return there == wanted;
}

void Metadata::set_attributes(std::string const& path, Attributes const& of, Node const& node) {
    try {
        auto const there = of.read();
        for (auto const& attribute : there) {
            bool const stays =
                std::any_of(node.xattrs.begin(), node.xattrs.end(),
                            [&](Xattr const& wanted) { return wanted.name == attribute.name; });
            if (!stays && may_remove(attribute.name)) of.remove(attribute.name);
        }
        for (auto const& wanted : node.xattrs) {
            bool const is_there = std::find(there.begin(), there.end(), wanted) != there.end();
            if (is_there) continue;
            if (may_set(wanted)) {
                of.set(wanted.name, wanted.value);
            } else {
                ++attributes_;
            }
        }
    } catch (SourceError const& error) {
        throw SourceError(path, error.what());
    }
}

void Metadata::apply(std::string const& path, int fd, Node const& node, Contents contents) {
    auto const [user, group] = owner_of(node);
    struct stat there {};
    if (::fstat(fd, &there) != 0) fail(path, "look at it");
    bool const is_owner_there = there.st_uid == user && there.st_gid == group;
    bool const is_owner_set = is_owner_there || owner_is_set(path, ::fchown(fd, user, group));
    mode_t const kept = contents == Contents::kept && is_owner_there ? there.st_mode & set_id : 0;
    mode_t const mode = mode_of(node, is_owner_set, kept);
    // After the owner: changing that clears the set-id bits.
    bool const is_mode_there = is_owner_there && (there.st_mode & 07777U) == mode;
    if (!is_mode_there && ::fchmod(fd, mode) != 0) fail(path, "set the mode");
    if ((node.flags & node_flags::above) != 0) return;
    // After both: an ACL is part of the mode, and a new owner takes capabilities away.
    set_attributes(path, Attributes::of_open(fd), node);
    auto const times = times_of(node);
    if (!has_mtime(there, node) && ::futimens(fd, times.data()) != 0) fail(path, "set the times");
}

void Metadata::apply_to_entry(std::string const& path, int folder, std::string const& name,
                              Node const& node) {
    auto const [user, group] = owner_of(node);
    bool const is_owner_set =
        owner_is_set(path, ::fchownat(folder, name.c_str(), user, group, AT_SYMLINK_NOFOLLOW));
    if (node.kind != NodeKind::symlink &&
        ::fchmodat(folder, name.c_str(), mode_of(node, is_owner_set, 0), AT_SYMLINK_NOFOLLOW) !=
            0) {
        fail(path, "set the mode");
    }
    set_attributes(path, Attributes::of_entry(folder, name), node);
    auto const times = times_of(node);
    if (::utimensat(folder, name.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0) {
        fail(path, "set the times");
    }
}

bool Metadata::fits(struct stat const& there, Node const& node) {
    auto const [user, group] = owner_of(node);
    mode_t const mode = there.st_mode & 07777U;
    bool const is_without =
        !request_.privileged && !node.is_directory() && mode == (node.mode & ~set_id);
    return has_mtime(there, node) && (mode == node.mode || is_without) && there.st_uid == user &&
           there.st_gid == group;
}

}  // namespace coffre
