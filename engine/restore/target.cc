#include "engine/restore/target.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>

#include "engine/error.h"
#include "engine/util/paths.h"
#include "engine/util/small_file.h"

namespace coffre {

namespace {

[[noreturn]] void fail(std::string const& path, std::string const& doing) {
    throw SourceError(path, "cannot " + doing + ": " + errno_text());
}

struct CloseDir {
    void operator()(DIR* dir) const { ::closedir(dir); }
};

struct timespec time_spec(TimePoint const& time) {
    return {static_cast<time_t>(time.seconds), static_cast<long>(time.nanoseconds)};
}

std::array<struct timespec, 2> times_of(Node const& node) {
    return {timespec{0, UTIME_OMIT}, time_spec(node.mtime)};
}

// Who is not root cannot give files away: the owner is then the one who restores.
bool is_owner_refused(int result) {
    return result != 0 && !(errno == EPERM && ::geteuid() != 0);
}

std::vector<std::string> names_in(Fd folder, std::string const& path) {
    std::unique_ptr<DIR, CloseDir> const dir(::fdopendir(folder.get()));
    if (!dir) fail(path, "list the folder");
    folder.release();
    std::vector<std::string> names;
    errno = 0;
    while (auto const* entry = ::readdir(dir.get())) {
        std::string_view const name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    if (errno != 0) fail(path, "list the folder");
    return names;
}

mode_t type_of(NodeKind kind) {
    switch (kind) {
        case NodeKind::fifo:
            return S_IFIFO;
        case NodeKind::socket:
            return S_IFSOCK;
        case NodeKind::char_device:
            return S_IFCHR;
        default:
            return S_IFBLK;
    }
}

std::uint64_t remove_all(int folder, std::string const& name, std::string const& path) {
    if (::unlinkat(folder, name.c_str(), 0) == 0) return 1;
    if (errno != EISDIR && errno != EPERM) fail(path, "remove");
    Fd inner(::openat(folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!inner) fail(path, "remove");
    std::uint64_t removed = 1;
    Fd copy(::openat(inner.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (auto const& child : names_in(std::move(copy), path)) {
        removed += remove_all(inner.get(), child, join_path(path, child));
    }
    if (::unlinkat(folder, name.c_str(), AT_REMOVEDIR) != 0) fail(path, "remove the folder");
    return removed;
}

}  // namespace

Target::Target(std::string path, Absent absent) : path_(std::move(path)) {
    if (absent == Absent::is_made) make_folders(path_);
    root_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool const may_be_absent = absent == Absent::stays && errno == ENOENT;
    if (!root_ && !may_be_absent) fail(path_, "open the folder");
}

// RESOLVE_BENEATH refuses "..", absolute paths and whatever leads out; older kernels than 5.6 lack
// the call and with it a safe restore.
Fd Target::open_beneath(std::string const& path, int flags, mode_t mode) const {
    struct open_how how {};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    char const* const name = path.empty() ? "." : path.c_str();
    return Fd(static_cast<int>(::syscall(SYS_openat2, root_.get(), name, &how, sizeof how)));
}

Target::Parent Target::parent_of(std::string const& path) const {
    std::size_t const slash = path.rfind('/');
    std::string const folder = slash == std::string::npos ? "" : path.substr(0, slash);
    Parent parent{open_beneath(folder, O_PATH | O_DIRECTORY, 0),
                  slash == std::string::npos ? path : path.substr(slash + 1)};
    if (!parent.folder) fail(path, "open the folder above it");
    return parent;
}

std::optional<struct stat> Target::look(std::string const& path) const {
    struct stat status {};
    if (!exists()) return std::nullopt;
    if (path.empty()) {
        if (::fstat(root_.get(), &status) != 0) fail(path_, "look at the folder");
        return status;
    }
    Parent const parent = parent_of(path);
    if (::fstatat(parent.folder.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
        return status;
    }
    if (errno != ENOENT) fail(path, "look at it");
    return std::nullopt;
}

void Target::make_directory(std::string const& path) const {
    Parent const parent = parent_of(path);
    if (::mkdirat(parent.folder.get(), parent.name.c_str(), 0700) != 0)
        fail(path, "make the folder");
}

void Target::allow_writing(std::string const& path, struct stat const& there) const {
    mode_t const needed = S_ISDIR(there.st_mode) ? 0700 : 0600;
    if ((there.st_mode & needed) == needed) return;
    Fd const fd(open_file(path, O_RDONLY));
    if (::fchmod(fd.get(), (there.st_mode & 07777U) | needed) != 0) fail(path, "make it writable");
}

Fd Target::create_file(std::string const& path) const {
    Fd file = open_beneath(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
    if (!file) fail(path, "create the file");
    return file;
}

Fd Target::open_file(std::string const& path, int flags) const {
    Fd file = open_beneath(path, flags | O_NONBLOCK, 0);
    if (!file) fail(path, "open the file");
    return file;
}

void Target::make_link(std::string const& path, Node const& node) const {
    Parent const parent = parent_of(path);
    if (::symlinkat(node.target.c_str(), parent.folder.get(), parent.name.c_str()) != 0) {
        fail(path, "make the link");
    }
}

void Target::make_special(std::string const& path, Node const& node) const {
    Parent const parent = parent_of(path);
    if (::mknodat(parent.folder.get(), parent.name.c_str(), type_of(node.kind) | 0600,
                  node.device_number) != 0) {
        fail(path, "make the special file");
    }
}

std::uint64_t Target::remove(std::string const& path) const {
    Parent const parent = parent_of(path);
    return remove_all(parent.folder.get(), parent.name, path);
}

std::vector<std::string> Target::names(std::string const& path) const {
    Fd folder = open_beneath(path, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) fail(path, "list the folder");
    return names_in(std::move(folder), path);
}

void Target::apply(std::string const& path, int fd, Node const& node) const {
    if (is_owner_refused(::fchown(fd, node.uid, node.gid))) fail(path, "set the owner");
    // After the owner: changing that clears the set-id bits.
    if (::fchmod(fd, node.mode) != 0) fail(path, "set the mode");
    if ((node.flags & node_flags::above) != 0) return;
    auto const times = times_of(node);
    if (::futimens(fd, times.data()) != 0) fail(path, "set the times");
}

void Target::apply_by_name(std::string const& path, Node const& node) const {
    if (node.is_directory()) {
        Fd const folder = open_beneath(path, O_RDONLY | O_DIRECTORY, 0);
        if (!folder) fail(path, "open the folder");
        return apply(path, folder.get(), node);
    }
    Parent const parent = parent_of(path);
    char const* const name = parent.name.c_str();
    int const folder = parent.folder.get();
    if (is_owner_refused(::fchownat(folder, name, node.uid, node.gid, AT_SYMLINK_NOFOLLOW))) {
        fail(path, "set the owner");
    }
    if (node.kind != NodeKind::symlink && ::fchmodat(folder, name, node.mode, 0) != 0) {
        fail(path, "set the mode");
    }
    auto const times = times_of(node);
    if (::utimensat(folder, name, times.data(), AT_SYMLINK_NOFOLLOW) != 0)
        fail(path, "set the times");
}

void Target::sync() const {
    if (::syncfs(root_.get()) != 0) fail(path_, "sync the file system");
}

}  // namespace coffre
