#include "engine/backend/local.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <mutex>
#include <set>

#include "engine/crypto/secret.h"
#include "engine/util/direct_write.h"
#include "engine/util/fd.h"
#include "engine/util/new_name.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::string_view lost_and_found = "lost+found";  // at the root of a disk
constexpr std::string_view temporary_prefix = ".tmp-";

RepositoryFailure failure_of(int error) {
    return error == ENOSPC || error == EDQUOT ? RepositoryFailure::no_space
                                              : RepositoryFailure::failed;
}

[[noreturn]] void fail(std::string const& doing, std::string const& name) {
    int const error = errno;
    throw RepositoryError(failure_of(error), name + ": cannot " + doing + ": " + errno_text());
}

std::string folder_of(std::string const& name) {
    return name.substr(0, name.rfind('/') + 1) + ".";
}

void sync_folder(int root, std::string const& folder) {
    Fd const fd(::openat(root, folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd) fail("open folder", folder);
    if (::fsync(fd.get()) != 0) fail("sync folder", folder);
}

constexpr std::string_view store_folders[] = {"keys",      "packs",   "bundles", "sessions",
                                              "snapshots", "forgets", "gclog",   "parity"};

bool is_of_store(std::string_view folder) {
    return std::find(std::begin(store_folders), std::end(store_folders), folder) !=
           std::end(store_folders);
}

bool is_lost(int error) {
    return error == EIO || error == EBADMSG || error == EUCLEAN || error == ENODATA ||
           error == EREMOTEIO;
}

// What the disk does not give back is damage of this object, not the end of the command.
[[noreturn]] void fail_to_read(char const* action, std::string const& name) {
    if (is_lost(errno)) throw corrupt(name + ": cannot " + action + ": " + errno_text());
    if (errno == EACCES || errno == EPERM) {
        throw RepositoryError(RepositoryFailure::denied,
                              name + ": cannot " + action + ": " + errno_text());
    }
    fail(action, name);
}

// A folder that is not there may hold anything elsewhere.
[[noreturn]] void fail_to_find(std::string const& folder) {
    throw RepositoryError(RepositoryFailure::failed,
                          folder +
                              ": cannot list: there is no such folder; bring it back, or make "
                              "it if it was empty and a copy was made without empty folders");
}

void make_folder(int root, std::string const& folder) {
    if (::mkdirat(root, folder.c_str(), 0700) != 0 && errno != EEXIST)
        fail("create folder", folder);
}

// A damaged or foreign disk tells any time.
std::int64_t ns_of(struct timespec const& time) {
    constexpr std::int64_t second = 1'000'000'000;
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / second - 1;
    return std::clamp<std::int64_t>(time.tv_sec, -most, most) * second + time.tv_nsec;
}

ObjectInfo info_of(std::string name, struct stat const& status) {
    return {std::move(name), static_cast<std::uint64_t>(status.st_size), ns_of(status.st_mtim)};
}

// Elsewhere a folder stands where an object should, and is listed as one.
bool has_folders(std::string_view prefix) {
    return prefix.empty() || prefix == "packs/" || prefix == "parity/";
}

class LocalBackend final : public Backend {
public:
    LocalBackend(std::string path, Fd root) : path_(std::move(path)), root_(std::move(root)) {}

    PutResult put(std::string const& name, ByteView bytes) override {
        std::string const folder = folder_of(name);
        Fd file(::openat(root_.get(), folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
        if (!file && errno == ENOENT) {
            std::string const absent = name.substr(0, name.rfind('/'));
            make_folder(root_.get(), absent);
            mark_dirty(folder_of(absent));
            file =
                Fd(::openat(root_.get(), folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
        }
        if (!file && (errno == EOPNOTSUPP || errno == EISDIR)) return put_by_name(name, bytes);
        if (!file) fail("create", name);
        write_durably(file, name, bytes);
        std::string const self = "/proc/self/fd/" + std::to_string(file.get());
        if (::linkat(AT_FDCWD, self.c_str(), root_.get(), name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
            if (errno == EEXIST) {
                mark_dirty(folder);  // whoever made it may not have synced its name
                return PutResult::exists;
            }
            bool const is_without_proc = errno == ENOENT;
            if (is_without_proc || lacks_links(errno)) return put_by_name(name, bytes);
            fail("name", name);
        }
        mark_dirty(folder);
        return PutResult::stored;
    }

    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override {
        Fd const file(
            ::openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!file && errno == ENOENT) {
            throw corrupt(name + ": is missing");
        }
        if (!file && (errno == ELOOP || errno == ENXIO)) throw corrupt(name + ": is no file");
        if (!file) fail_to_read("open", name);
        struct stat status {};
        if (::fstat(file.get(), &status) != 0) fail_to_read("look at", name);
        if (!S_ISREG(status.st_mode)) throw corrupt(name + ": is no file");
        Bytes bytes = Bytes::uncleared(size);
        ssize_t const got = pread_full(file.get(), bytes, static_cast<off_t>(offset));
        if (got < 0) fail_to_read("read", name);
        if (static_cast<std::uint64_t>(got) != size) {
            throw corrupt(name + ": ends at byte " +
                          std::to_string(offset + static_cast<std::uint64_t>(got)) + ", expected " +
                          std::to_string(offset + size));
        }
        return bytes;
    }

    std::optional<ObjectInfo> stat(std::string const& name) override {
        struct stat status {};
        if (::fstatat(root_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return std::nullopt;
            fail_to_read("look at", name);
        }
        return info_of(name, status);
    }

    void each(std::string const& prefix, Visit const& visit) override {
        if (is_not_made_yet(prefix)) return;
        auto const entries = entries_of(prefix);
        // Another process may not have synced yet what the caller now relies on.
        mark_dirty(prefix + ".");
        visit_all(entries, visit);
    }

    void remove(std::string const& name) override {
        if (::unlinkat(root_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
            if (errno == EISDIR) throw corrupt(name + ": is no file");
            fail("remove", name);
        }
        mark_dirty(folder_of(name));
    }

    // One barrier at a time: nobody may pass while another still syncs what both wait for. A folder
    // stays dirty until its sync has succeeded, and after one failure no barrier succeeds again.
    void barrier() override {
        std::lock_guard const one(barrier_mutex_);
        if (sync_failed_) {
            throw RepositoryError(RepositoryFailure::failed, path_ + ": an earlier sync failed");
        }
        sync_failed_ = true;
        for (auto const& folder : take_dirty_folders()) sync_folder(root_.get(), folder);
        sync_failed_ = false;
    }

private:
    static void write_durably(Fd const& file, std::string const& name, ByteView bytes) {
        if (!write_past_cache(file.get(), bytes)) fail("write", name);
        if (::fsync(file.get()) != 0 && !mutant("ignore-failed-sync")) fail("sync", name);
    }

    // For file systems without nameless files, or without links.
    PutResult put_by_name(std::string const& name, ByteView bytes) {
        std::string const temporary = name.substr(0, name.rfind('/') + 1) +
                                      std::string(temporary_prefix) + last_component(name) + "-" +
                                      random_id<SessionId>().hex();
        Fd const file(::openat(root_.get(), temporary.c_str(),
                               O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!file) fail("create", temporary);
        try {
            write_durably(file, name, bytes);
        } catch (RepositoryError const&) {
            ::unlinkat(root_.get(), temporary.c_str(), 0);
            throw;
        }
        bool const is_new = give_new_name(root_.get(), temporary, name);
        if (!is_new && errno != EEXIST) fail("name", name);
        mark_dirty(folder_of(name));
        return is_new || is_named(file, name) ? PutResult::stored : PutResult::exists;
    }

    // A network file system may say that the name exists because it has just made it.
    bool is_named(Fd const& file, std::string const& name) const {
        struct stat own {};
        struct stat named {};
        return ::fstat(file.get(), &own) == 0 &&
               ::fstatat(root_.get(), name.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
               own.st_dev == named.st_dev && own.st_ino == named.st_ino;
    }

    // Others than the store's own folders are made by the first put into them.
    bool is_not_made_yet(std::string const& prefix) const {
        std::string const folder = prefix.substr(0, prefix.find('/'));
        return !folder.empty() && !is_of_store(folder) &&
               ::faccessat(root_.get(), folder.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) != 0 &&
               errno == ENOENT;
    }

    void visit_all(std::vector<ObjectInfo> const& entries, Visit const& visit) {
        for (auto const& entry : entries) {
            if (entry.name.ends_with('/')) {
                visit_all(entries_of(entry.name), visit);
            } else {
                visit(entry);
            }
        }
    }

    // Of one folder, in order of names. Those of folders end in '/'.
    std::vector<ObjectInfo> entries_of(std::string const& prefix) {
        std::vector<ObjectInfo> found;
        Fd fd(::openat(root_.get(), (prefix + ".").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (!fd && mutant("list-error-is-empty")) return found;
        if (!fd && errno == ENOENT) fail_to_find(prefix);
        if (!fd) fail("list", prefix);
        OpenFolder const dir(::fdopendir(fd.get()));
        if (!dir) fail("list", prefix);
        int const folder = fd.release();
        for (errno = 0; auto const* entry = ::readdir(dir.get()); errno = 0) {
            std::string_view const name = entry->d_name;
            // Temporary ones, and what network and other file systems leave.
            if (name.starts_with('.') || (prefix.empty() && name == lost_and_found)) continue;
            add_entry(folder, entry->d_name, prefix, found);
        }
        if (errno != 0) fail("list", prefix);
        std::sort(found.begin(), found.end(),
                  [](ObjectInfo const& a, ObjectInfo const& b) { return a.name < b.name; });
        return found;
    }

    static void add_entry(int folder, char const* entry, std::string const& prefix,
                          std::vector<ObjectInfo>& found) {
        struct stat status {};
        std::string name = prefix + entry;
        if (::fstatat(folder, entry, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            if (errno == ENOENT) return;  // removed since it was listed
            if (!is_lost(errno)) fail("look at", name);
            status = {};  // who reads it is told
        }
        if (S_ISDIR(status.st_mode) && has_folders(prefix)) name += '/';
        found.push_back(info_of(std::move(name), status));
    }

    std::set<std::string> take_dirty_folders() {
        std::lock_guard const lock(mutex_);
        return std::exchange(dirty_folders_, {});
    }

    void mark_dirty(std::string const& folder) {
        std::lock_guard const lock(mutex_);
        dirty_folders_.insert(folder);
    }

    std::string path_;
    Fd root_;
    std::mutex mutex_;
    std::set<std::string> dirty_folders_;  // by mutex_
    std::mutex barrier_mutex_;
    bool sync_failed_ = false;  // by barrier_mutex_
};

// Who may not read it cannot sync it: it is synced when the kernel does.
void sync_folder_above(int root) {
    if (::faccessat(root, "..", R_OK, AT_EACCESS) == 0) sync_folder(root, "..");
}

// Empty, or what an interrupted create_local_store() left.
bool may_become_store(int root) {
    int const copy = ::openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    OpenFolder const dir(::fdopendir(copy));
    if (!dir) return false;
    while (auto const* entry = ::readdir(dir.get())) {
        std::string_view const name = entry->d_name;
        if (!is_of_store(name) && name != "." && name != ".." && name != lost_and_found)
            return false;
    }
    return true;
}

}  // namespace

void create_local_store(std::string const& path) {
    bool const is_there = ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
    if (!is_there && errno == ENOENT) {
        throw RepositoryError(RepositoryFailure::failed,
                              path + ": cannot create folder: the one above it is not there");
    }
    if (!is_there) fail("create folder", path);
    Fd const root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) fail("open folder", path);
    // Looked at first: what makes the folder one of something else may be a repository's that is
    // made meanwhile.
    bool const may_become = may_become_store(root.get());
    if (::faccessat(root.get(), "config", F_OK, 0) == 0) {
        throw RepositoryError(RepositoryFailure::failed, path + ": there is a repository already");
    }
    if (!may_become) {
        throw RepositoryError(RepositoryFailure::failed,
                              path + ": is not empty; a new repository needs an empty folder");
    }
    for (auto const folder : store_folders) make_folder(root.get(), std::string(folder));
    static constexpr std::string_view digits = "0123456789abcdef";
    for (char const high : digits) {
        for (char const low : digits) make_folder(root.get(), std::string("packs/") + high + low);
    }
    sync_folder(root.get(), "packs");
    sync_folder(root.get(), ".");
    sync_folder_above(root.get());
}

std::unique_ptr<Backend> open_local_store(std::string const& path) {
    Fd root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    bool const is_barred = !root && (errno == EACCES || errno == EPERM);
    if (is_barred) fail("open the repository", path);
    if (!root) {
        throw RepositoryError(RepositoryFailure::not_found,
                              path + ": no repository there: " + errno_text());
    }
    return std::make_unique<LocalBackend>(path, std::move(root));
}

}  // namespace coffre
