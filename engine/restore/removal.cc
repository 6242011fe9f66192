#include "engine/restore/removal.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

namespace coffre {

namespace {

constexpr std::size_t open_while_removing = 64;

class Remover {
public:
    Remover(std::string path, Removal const& how) : path_(std::move(path)), how_(how) {}

    // False when it stays, or something in it does.
    bool remove(Fd& folder, std::string const& name, dev_t device, std::size_t depth) {
        auto const entry = find_entry(folder.get(), name, device);
        if (!entry) fail(path_, "remove");
        if (how_.keeps(path_, *entry)) return false;
        if (entry->is_folder && !empty(folder, name, depth)) return false;
        int const flags = entry->is_folder ? AT_REMOVEDIR : 0;
        if (!how_.dry_run && ::unlinkat(folder.get(), name.c_str(), flags) != 0) {
            fail(path_, entry->is_folder ? "remove the folder" : "remove");
        }
        ++removed_;
        how_.removed(path_);
        return true;
    }
    std::uint64_t removed() const { return removed_; }

private:
    // Below a few levels the descriptor of a folder is given up while what is in it is removed, and
    // got back from there: a tree may be deeper than descriptors last.
    bool empty(Fd& folder, std::string const& name, std::size_t depth) {
        Fd inner(
            ::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!inner) fail(path_, "remove");
        auto const above = identity_of(folder, path_);
        auto const device = identity_of(inner, path_).device;
        if (depth >= open_while_removing) folder.reset();
        bool is_empty = true;
        std::size_t const path_size = path_.size();
        Fd copy(::openat(inner.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        for (auto const& child : names_in(std::move(copy), path_)) {
            path_.append("/").append(child);
            is_empty = remove(inner, child, device, depth + 1) && is_empty;
            path_.resize(path_size);
        }
        if (!folder) folder = open_above(inner, above);
        return is_empty;
    }

    Fd open_above(Fd const& inner, FileIdentity const& known) const {
        Fd folder(::openat(inner.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (!folder) fail(path_, "remove the folder");
        if (identity_of(folder, path_) != known) {
            throw SourceError(path_, "was moved while it was removed");
        }
        return folder;
    }

    std::string path_;  // of the entry that is removed: the only copy, it may be long
    Removal const& how_;
    std::uint64_t removed_ = 0;
};

}  // namespace

// A folder that is mounted to another place of the same file system has that file system's device:
// only the kernel knows, from 5.8 on. A file's device says nothing where file systems are laid over
// each other.
std::optional<FoundEntry> find_entry(int folder, std::string const& name, dev_t device) {
    struct statx found {};
    int const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
    if (::statx(folder, name.c_str(), flags, STATX_TYPE | STATX_INO, &found) != 0) {
        return std::nullopt;
    }
    FileIdentity const identity{::makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino};
    bool const is_mounted = (found.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    bool const is_folder = S_ISDIR(found.stx_mode);
    bool const is_elsewhere = is_folder && identity.device != device;
    return FoundEntry{identity, is_folder, is_mounted || is_elsewhere};
}

std::vector<std::string> names_in(Fd folder, std::string const& path) {
    OpenFolder const dir(::fdopendir(folder.get()));
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

std::uint64_t remove_entry(Fd folder, std::string const& name, std::string const& path,
                           Removal const& how) {
    Remover remover(path, how);
    auto const device = identity_of(folder, path).device;
    remover.remove(folder, name, device, 0);
    return remover.removed();
}

}  // namespace coffre
