#include "engine/util/small_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "engine/error.h"
#include "engine/util/fd.h"
#include "engine/util/new_name.h"

namespace coffre {

namespace {

constexpr std::size_t first_read = 4096;

[[noreturn]] void fail(std::string const& doing, std::string const& path) {
    bool const is_full = errno == ENOSPC || errno == EDQUOT;
    std::string const message = path + ": cannot " + doing + ": " + errno_text();
    if (is_full) throw NoRoomError(path, message);
    throw SourceError(path, message);
}

[[noreturn]] void discard(std::string const& temporary, std::string const& doing,
                          std::string const& path) {
    int const error = errno;
    ::unlink(temporary.c_str());
    errno = error;
    fail(doing, path);
}

// A durable file beside `path`.
std::string write_temporary(std::string const& path, ByteView content) {
    std::string temporary = path + ".new-XXXXXX";
    Fd const fd(::mkostemp(temporary.data(), O_CLOEXEC));
    if (!fd) fail("create", temporary);
    if (!write_full(fd.get(), content) || ::fsync(fd.get()) != 0) discard(temporary, "write", path);
    return temporary;
}

void sync_folder_of(std::string const& path) {
    std::size_t const slash = path.rfind('/');
    std::string const folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    Fd const fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    // Some file systems cannot sync a folder.
    if (!fd || (::fsync(fd.get()) != 0 && errno != EINVAL)) fail("sync the folder of", path);
}

// Not by the size that the system tells: that of the files in /proc is 0.
Bytes read_up_to(int fd, std::size_t most, std::string const& path) {
    Bytes bytes;
    std::size_t done = 0;
    while (done == bytes.size() && done < most) {
        bytes.resize_uncleared(std::min(most, std::max(first_read, 2 * done)));
        ssize_t const size = read_full(fd, std::span(bytes).subspan(done));
        if (size < 0) fail("read", path);
        done += static_cast<std::size_t>(size);
    }
    bytes.resize(done);
    return bytes;
}

}  // namespace

std::optional<std::string> read_small_file(std::string const& path, std::size_t limit) {
    Fd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd && errno == ENOENT) return std::nullopt;
    if (!fd) fail("open", path);
    Bytes const bytes = read_up_to(fd.get(), limit + 1, path);
    if (bytes.size() > limit) {
        throw SourceError(path, path + ": larger than " + std::to_string(limit) + " bytes");
    }
    return to_text(bytes);
}

void replace_small_file(std::string const& path, std::string const& content) {
    std::string const temporary = write_temporary(path, as_bytes(content));
    if (::rename(temporary.c_str(), path.c_str()) != 0) discard(temporary, "replace", path);
    sync_folder_of(path);
}

bool create_small_file(std::string const& path, ByteView content) {
    std::string const temporary = write_temporary(path, content);
    bool const is_new = give_new_name(AT_FDCWD, temporary, path);
    if (!is_new && errno != EEXIST) fail("create", path);
    if (is_new) sync_folder_of(path);
    return is_new;
}

void make_folders(std::string const& path) {
    for (std::size_t slash = 0; slash != std::string::npos;) {
        slash = path.find('/', slash + 1);
        std::string const folder = path.substr(0, slash);
        if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) fail("create folder", folder);
    }
}

}  // namespace coffre
