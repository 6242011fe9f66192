#include "engine/restore/metadata.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>

#include "engine/restore/failure.h"
#include "engine/restore/target.h"
#include "engine/util/owners.h"
#include "format/mutant.h"

namespace coffre {

namespace {

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

// What `look_up` says of the name, asked once.
template <class Known, class LookUp>
auto known_or(Known& known, std::string const& name, LookUp const& look_up) {
    auto const found = known.find(name);
    if (found != known.end()) return found->second;
    auto const number = name.empty() ? std::nullopt : look_up(name);
    known.emplace(name, number);
    return number;
}

constexpr char const* acl = "system.posix_acl_access";

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
    auto const user = known_or(users_, node.user, user_of_name);
    auto const group = known_or(groups_, node.group, group_of_name);
    return {user.value_or(owner.user), group.value_or(owner.group)};
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

Metadata::Changed Metadata::set_attributes(int fd, mode_t there, Node const& node,
                                           Attempts& attempts) {
    mode_t const needed = S_IRUSR | S_IWUSR;
    bool const is_closed = (there & needed) != needed;
    bool const may_be_forbidden =
        is_closed && (!node.xattrs.empty() || Attributes::of_open(fd).are_there());
    if (may_be_forbidden) {
        attempts.attempt([&] {
            if (::fchmod(fd, (there & 07777U) | needed) != 0)
                fail(node.name, "make its attributes writable");
        });
    }
    Changed changed = set_attributes(Attributes::of_open(fd), node, attempts);
    changed.mode = changed.mode || may_be_forbidden;
    return changed;
}

Metadata::Changed Metadata::set_attributes(Attributes const& of, Node const& node,
                                           Attempts& attempts) {
    Changed changed;
    std::vector<Xattr> there;
    attempts.attempt([&] { there = of.read(); });
    for (auto const& attribute : there) {
        bool const stays =
            std::any_of(node.xattrs.begin(), node.xattrs.end(),
                        [&](Xattr const& wanted) { return wanted.name == attribute.name; });
        if (stays || !may_remove(attribute.name)) continue;
        attempts.attempt([&] { of.remove(attribute.name); });
        changed.mode = true;
    }
    for (auto const& wanted : node.xattrs) {
        bool const is_there = std::find(there.begin(), there.end(), wanted) != there.end();
        if (!is_there) set_attribute(of, wanted, changed, attempts);
    }
    return changed;
}

void Metadata::set_attribute(Attributes const& of, Xattr const& wanted, Changed& changed,
                             Attempts& attempts) {
    if (!may_set(wanted)) {
        ++attributes_;
        return;
    }
    bool const is_set = attempts.attempt([&] { of.set(wanted.name, wanted.value); });
    changed.mode = true;
    changed.lacks_acl = changed.lacks_acl || (!is_set && wanted.name == acl);
}

// An ACL's mask is in the group's bits: without the ACL they would grant that to the whole group.
mode_t Metadata::granted(mode_t mode, Changed const& changed) {
    return changed.lacks_acl ? mode & ~mode_t{S_IRWXG} : mode;
}

void Metadata::apply(std::string const& path, int fd, Node const& node, Contents contents) {
    auto const [user, group] = owner_of(node);
    struct stat there {};
    if (::fstat(fd, &there) != 0) fail(path, "look at it");
    Attempts attempts(path);
    bool const is_owner_there = there.st_uid == user && there.st_gid == group;
    bool is_owner_set = is_owner_there;
    if (!is_owner_there) {
        attempts.attempt(
            [&, u = user, g = group] { is_owner_set = owner_is_set(path, ::fchown(fd, u, g)); });
    }
    mode_t const kept = contents == Contents::kept && is_owner_there ? there.st_mode & set_id : 0;
    mode_t const mode = mode_of(node, is_owner_set, kept);
    bool const is_above = (node.flags & node_flags::above) != 0;
    // After the owner: a new one takes capabilities away. Before the mode: it may forbid the owner
    // to read and write the attributes "user.".
    Changed changed;
    if (!is_above) changed = set_attributes(fd, there.st_mode, node, attempts);
    // After the owner, which clears the set-id bits, and the ACL, which is part of the mode.
    bool const is_owner_as_before = is_owner_there || !is_owner_set;
    bool const is_mode_there =
        is_owner_as_before && !changed.mode && (there.st_mode & 07777U) == mode;
    attempts.attempt([&] {
        if (!is_mode_there && ::fchmod(fd, granted(mode, changed)) != 0) fail(path, "set the mode");
    });
    attempts.attempt([&] {
        if (!is_above) set_times(path, fd, there, node);
    });
    attempts.finish();
}

void Metadata::set_times(std::string const& path, int fd, struct stat const& there,
                         Node const& node) {
    auto const times = times_of(node);
    if (!has_mtime(there, node) && ::futimens(fd, times.data()) != 0) fail(path, "set the times");
}

void Metadata::apply_to_entry(std::string const& path, int folder, std::string const& name,
                              Node const& node) {
    // From here on it is this one, whatever gets its name meanwhile.
    Fd const entry(::openat(folder, name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat there {};
    if (!entry || ::fstat(entry.get(), &there) != 0) fail(path, "look at it");
    if ((there.st_mode & S_IFMT) != Target::type_of(node.kind))
        throw SourceError(path, "was exchanged while it was restored");
    std::string const self = "/proc/self/fd/" + std::to_string(entry.get());
    auto const [user, group] = owner_of(node);
    Attempts attempts(path);
    bool const is_owner_there = there.st_uid == user && there.st_gid == group;
    bool is_owner_set = is_owner_there;
    if (!is_owner_there) {
        attempts.attempt([&, u = user, g = group] {
            is_owner_set = owner_is_set(path, ::fchownat(entry.get(), "", u, g, AT_EMPTY_PATH));
        });
    }
    Changed const changed = set_attributes(Attributes::of_path_only(entry.get()), node, attempts);
    mode_t const mode = granted(mode_of(node, is_owner_set, 0), changed);
    bool const is_owner_as_before = is_owner_there || !is_owner_set;
    bool const is_mode_there =
        is_owner_as_before && !changed.mode && (there.st_mode & 07777U) == mode;
    if (node.kind != NodeKind::symlink && !is_mode_there) {
        attempts.attempt([&] {
            if (::chmod(self.c_str(), mode) != 0) fail(path, "set the mode");
        });
    }
    attempts.attempt([&] {
        auto const times = times_of(node);
        bool const is_set =
            has_mtime(there, node) || ::utimensat(AT_FDCWD, self.c_str(), times.data(), 0) == 0;
        if (!is_set) fail(path, "set the times");
    });
    attempts.finish();
}

bool Metadata::fits(struct stat const& there, Node const& node) {
    auto const [user, group] = owner_of(node);
    mode_t const mode = there.st_mode & 07777U;
    bool const is_without =
        !request_.privileged && !node.is_directory() && mode == (node.mode & ~set_id);
    bool const is_owner_there = there.st_uid == user && there.st_gid == group;
    // Who is not root cannot give files away.
    bool const is_own = ::geteuid() != 0 && there.st_uid == ::geteuid() &&
                        (there.st_gid == group || there.st_gid == ::getegid());
    return has_mtime(there, node) && (mode == node.mode || is_without) &&
           (is_owner_there || is_own);
}

}  // namespace coffre
