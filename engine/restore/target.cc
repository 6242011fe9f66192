#include "engine/restore/target.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>

#include "engine/crypto/secret.h"
#include "engine/restore/failure.h"
#include "engine/util/attributes.h"
#include "engine/util/paths.h"
#include "engine/util/small_file.h"
#include "format/limits.h"
#include "format/mutant.h"
#include "format/object.h"

namespace coffre {

namespace {

// One walk of the kernel takes paths up to PATH_MAX.
constexpr std::size_t longest_walk = 4000;
// What waits to take the place of something else is there twice.
constexpr std::uint64_t spare_room = 256 * limits::mib;

Fd open_by_kernel(int folder, std::string const& path, int flags, mode_t mode) {
    struct open_how how {};
    how.flags = static_cast<unsigned>(flags | O_CLOEXEC | O_NOFOLLOW);
    how.mode = mode;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
    if (mutant("follow-links")) how.resolve = 0;
    long result = -1;
    // EAGAIN: a rename elsewhere made the kernel unsure.
    for (int attempt = 0; attempt < 100; ++attempt) {
        result = ::syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how);
        if (result >= 0 || errno != EAGAIN) break;
    }
    return Fd(static_cast<int>(result));
}

// The components are names of nodes, thus neither ".." nor empty.
Fd open_by_component(int folder, std::string_view path, int flags, mode_t mode) {
    Fd above;
    for (std::size_t slash = path.find('/'); slash != std::string_view::npos;
         slash = path.find('/')) {
        std::string const name(path.substr(0, slash));
        Fd next(::openat(folder, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!next) return next;
        above = std::move(next);
        folder = above.get();
        path.remove_prefix(slash + 1);
    }
    return Fd(::openat(folder, std::string(path).c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

}  // namespace

mode_t Target::type_of(NodeKind kind) {
    switch (kind) {
        case NodeKind::symlink:
            return S_IFLNK;
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

Target::Target(std::string path, Absent absent, Resolution resolution)
    : path_(std::move(path)), resolution_(resolution) {
    if (absent == Absent::is_made) make_folders(path_);
    root_ = Fd(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool const may_be_absent = absent == Absent::stays && errno == ENOENT;
    if (!root_ && !may_be_absent) fail(path_, "open the folder " + path_);
    if (root_) note_file_system("", identity_of(root_, path_).device);
}

std::optional<std::uint64_t> Target::inodes() const {
    struct statvfs status {};
    if (!exists() || ::fstatvfs(root_.get(), &status) != 0 || status.f_files == 0) {
        return std::nullopt;
    }
    return status.f_files;
}

Fd Target::open_part(int folder, std::string const& path, int flags, mode_t mode) const {
    if (resolution_ == Resolution::by_kernel) {
        Fd fd = open_by_kernel(folder, path, flags, mode);
        if (fd || errno != ENOSYS) return fd;
        resolution_ = Resolution::by_component;
    }
    return open_by_component(folder, path, flags, mode);
}

Fd Target::open_beneath(std::string const& path, int flags, mode_t mode) const {
    if (path.empty()) return open_part(root_.get(), ".", flags, mode);
    Fd above;
    std::size_t start = 0;
    while (path.size() - start > longest_walk) {
        std::size_t const slash = path.rfind('/', start + longest_walk);
        Fd next = open_part(above ? above.get() : root_.get(), path.substr(start, slash - start),
                            O_PATH | O_DIRECTORY, 0);
        if (!next) return next;
        above = std::move(next);
        start = slash + 1;
    }
    return open_part(above ? above.get() : root_.get(), path.substr(start), flags, mode);
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

bool Target::has_folder(std::string const& path) const {
    if (path.empty()) return exists();
    Fd const folder = exists() ? open_beneath(path, O_PATH | O_DIRECTORY, 0) : Fd();
    return static_cast<bool>(folder);
}

void Target::require_folder(std::string const& path) const {
    if (!open_beneath(path, O_PATH | O_DIRECTORY, 0)) fail(path, "open the folder");
}

void Target::note_file_system(std::string const& path, dev_t device) {
    std::lock_guard const lock(mutex_);
    if (file_systems_.contains(device)) return;
    Fd folder = open_beneath(path, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) fail(path, "open the folder");
    file_systems_.emplace(device, std::move(folder));
}

void Target::make_directory(std::string const& path) const {
    Parent const parent = parent_of(path);
    if (::mkdirat(parent.folder.get(), parent.name.c_str(), 0700) != 0)
        fail_to_store(path, "make the folder");
}

void Target::allow_writing(std::string const& path, struct stat const& there) const {
    bool const is_folder = S_ISDIR(there.st_mode);
    mode_t const wanted = is_folder ? (there.st_mode & 07777U) | S_IRWXU : unfinished_mode;
    if ((there.st_mode & 07777U) == wanted) return;
    change_mode(path, wanted, "make it writable");
}

// Not opened for reading: its owner may not be allowed that either.
void Target::change_mode(std::string const& path, mode_t mode, char const* doing) const {
    Fd const fd = open_beneath(path, O_PATH, 0);
    if (!fd) fail(path, doing);
    std::string const opened = "/proc/self/fd/" + std::to_string(fd.get());
    if (::chmod(opened.c_str(), mode) != 0) fail(path, doing);
}

Fd Target::create_file(std::string const& path) const {
    Fd file = open_beneath(path, O_CREAT | O_EXCL | O_WRONLY, unfinished_mode);
    if (!file) fail_to_store(path, "create the file");
    return file;
}

Fd Target::open_file(std::string const& path, int flags) const {
    Fd file = open_beneath(path, flags | O_NONBLOCK, 0);
    if (!file) fail(path, "open the file");
    return file;
}

Fd Target::open_own(std::string const& path) const {
    int const how = O_RDONLY | O_NONBLOCK;
    Fd file = open_beneath(path, how, 0);
    if (!file && errno == EACCES) {
        auto const there = look(path);
        mode_t const mode = there ? there->st_mode & 07777U : 0;
        change_mode(path, mode | S_IRUSR, "make it readable");
        file = open_beneath(path, how, 0);
        change_mode(path, mode, "make it what it was");
    }
    if (!file) fail(path, "open the file");
    return file;
}

bool Target::can_be_replaced(std::string const& path, struct stat const& there,
                             std::uint64_t size) const {
    bool const has_own_owner = there.st_uid == ::geteuid() && there.st_gid == ::getegid();
    if (::geteuid() != 0 && !has_own_owner) return false;
    Parent const parent = parent_of(path);
    struct statvfs system {};
    bool const has_room = ::fstatvfs(parent.folder.get(), &system) == 0 &&
                          std::uint64_t{system.f_bavail} * system.f_frsize > size + spare_room;
    if (!has_room) return false;
    std::string const opened = "/proc/self/fd/" + std::to_string(parent.folder.get());
    if (::faccessat(AT_FDCWD, opened.c_str(), W_OK | X_OK, AT_EACCESS) != 0) return false;
    auto const entry = find_entry(parent.folder.get(), parent.name, 0);
    return entry && !entry->is_mount_point;
}

void Target::take_over_labels(std::string const& path, Fd const& file) const {
    try {
        Parent const parent = parent_of(path);
        for (auto const& label : Attributes::of_entry(parent.folder.get(), parent.name).read()) {
            bool const is_label =
                label.name == "security.selinux" || label.name.starts_with("security.SMACK64");
            if (is_label) Attributes::of_open(file.get()).set(label.name, label.value);
        }
    } catch (SourceError const&) {
        // Then it has the label of its folder.
    }
}

bool Target::is_busy(std::string const& path) const {
    return !open_beneath(path, O_WRONLY | O_NONBLOCK, 0) && errno == ETXTBSY;
}

std::optional<Fd> Target::open_to_change(std::string const& path, struct stat const& there) const {
    int const flags = O_RDWR | O_NONBLOCK;
    Fd file = open_beneath(path, flags, 0);
    if (!file && errno == EACCES) {
        allow_writing(path, there);
        file = open_beneath(path, flags, 0);
        if (!file && errno == ETXTBSY) {
            change_mode(path, there.st_mode & 07777U, "put its mode back");
            return std::nullopt;
        }
    }
    if (!file && errno == ETXTBSY) return std::nullopt;
    if (!file) fail(path, "open the file");
    // Some file systems have no such bits, and another's file keeps its own.
    if (::fchmod(file.get(), unfinished_mode) != 0 && errno != EPERM)
        fail(path, "mark it as unfinished");
    return file;
}

std::string Target::temporary_beside(std::string const& path) {
    return path.substr(0, path.rfind('/') + 1) + std::string(temporary_prefix) +
           random_id<SessionId>().hex();
}

void Target::put_in_place(std::string const& temporary, FileIdentity const& known,
                          std::string const& path) const {
    try {
        Parent const parent = parent_of(path);
        std::string const from = last_component(temporary);
        int const folder = parent.folder.get();
        auto const there = look(temporary);
        if (!there || identity_of(*there) != known) {
            throw SourceError(path, "was exchanged while it was restored");
        }
        if (::renameat(folder, from.c_str(), folder, parent.name.c_str()) != 0) {
            fail_to_store(path, "put it in the place of what is there");
        }
    } catch (SourceError const&) {
        remove_file(temporary, known);
        throw;
    }
}

std::string Target::link_target(std::string const& path) const {
    Parent const parent = parent_of(path);
    std::string target(limits::link_target_size, '\0');
    ssize_t const size =
        ::readlinkat(parent.folder.get(), parent.name.c_str(), target.data(), target.size());
    if (size < 0) fail(path, "read the link");
    target.resize(static_cast<std::size_t>(size));
    return target;
}

void Target::make_link(std::string const& path, Node const& node) const {
    Parent const parent = parent_of(path);
    if (::symlinkat(node.target.c_str(), parent.folder.get(), parent.name.c_str()) != 0) {
        fail_to_store(path, "make the link");
    }
}

void Target::make_special(std::string const& path, Node const& node) const {
    Parent const parent = parent_of(path);
    if (::mknodat(parent.folder.get(), parent.name.c_str(), type_of(node.kind) | 0600,
                  node.device_number) != 0) {
        fail_to_store(path, "make the special file");
    }
}

bool Target::make_hard_link(std::string const& path, std::string const& file,
                            struct stat const& known) const {
    Fd const source = open_beneath(file, O_PATH, 0);
    struct stat status {};
    if (!source || ::fstat(source.get(), &status) != 0) fail(file, "open it for another name");
    if (identity_of(status) != identity_of(known)) {
        throw SourceError(path, file + " was exchanged meanwhile");
    }
    Parent const parent = parent_of(path);
    std::string const opened = "/proc/self/fd/" + std::to_string(source.get());
    if (::linkat(AT_FDCWD, opened.c_str(), parent.folder.get(), parent.name.c_str(),
                 AT_SYMLINK_FOLLOW) == 0) {
        return true;
    }
    bool const cannot_be =
        errno == EXDEV || errno == EPERM || errno == EMLINK || errno == EOPNOTSUPP;
    if (!cannot_be) fail_to_store(path, "make it another name of " + file);
    return false;
}

std::uint64_t Target::remove(std::string const& path, Removal const& how) const {
    Parent parent = parent_of(path);
    return remove_entry(std::move(parent.folder), parent.name, path, how);
}

void Target::remove_file(std::string const& path, FileIdentity const& known) const {
    Parent const parent = parent_of(path);
    struct stat status {};
    bool const is_there =
        ::fstatat(parent.folder.get(), parent.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (!is_there || identity_of(status) != known) return;
    if (::unlinkat(parent.folder.get(), parent.name.c_str(), 0) != 0) fail(path, "remove");
}

bool Target::is_mount_point(std::string const& path) const {
    Fd const folder = open_beneath(path, O_PATH | O_DIRECTORY, 0);
    struct stat above {};
    if (!folder) fail(path, "open the folder");
    if (::fstatat(folder.get(), "..", &above, 0) != 0) fail(path, "look at the folder above it");
    auto const found = find_entry(folder.get(), "", above.st_dev);
    if (!found) fail(path, "look at it");
    return found->is_mount_point;
}

bool Target::holds_repository(std::string const& path) const {
    Fd const config = open_beneath(join_path(path, "config"), O_RDONLY | O_NONBLOCK, 0);
    Bytes start(object_magic.size());
    return config && read_full(config.get(), start) == static_cast<ssize_t>(start.size()) &&
           to_text(start) == object_magic;
}

std::vector<std::string> Target::names(std::string const& path) const {
    Fd folder = open_beneath(path, O_RDONLY | O_DIRECTORY, 0);
    if (!folder) fail(path, "list the folder");
    return names_in(std::move(folder), path);
}

void Target::sync() const {
    for (int const folder : one_folder_of_each()) {
        if (::syncfs(folder) != 0) fail_to_store(path_, "sync the file systems of " + path_);
    }
}

// Nobody waits for a sync to note one more.
std::vector<int> Target::one_folder_of_each() const {
    std::lock_guard const lock(mutex_);
    std::vector<int> folders;
    for (auto const& [device, folder] : file_systems_) folders.push_back(folder.get());
    return folders;
}

}  // namespace coffre
