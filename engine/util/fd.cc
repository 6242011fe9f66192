#include "engine/util/fd.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace coffre {

void Fd::reset() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Fd open_nameless(std::string const& folder) {
    Fd file(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (file || (errno != EOPNOTSUPP && errno != EISDIR)) return file;
    // The file system has none without a name.
    std::string name = folder + "/.coffre-XXXXXX";
    file = Fd(::mkostemp(name.data(), O_CLOEXEC));
    if (file) ::unlink(name.c_str());
    return file;
}

std::string errno_text(int error) {
    return ::strerrordesc_np(error);
}

std::string errno_text() {
    return errno_text(errno);
}

namespace {

// Calls `transfer(done)` until it has moved `size` bytes, moves none, or fails.
template <class Transfer>
ssize_t repeat(std::size_t size, Transfer const& transfer) {
    std::size_t done = 0;
    while (done < size) {
        ssize_t const moved = transfer(done);
        if (moved < 0 && errno == EINTR) continue;
        if (moved < 0) return -1;
        if (moved == 0) break;
        done += static_cast<std::size_t>(moved);
    }
    return static_cast<ssize_t>(done);
}

bool all(ssize_t moved, std::size_t size) {
    if (moved < 0) return false;
    if (static_cast<std::size_t>(moved) == size) return true;
    errno = EIO;
    return false;
}

}  // namespace

ssize_t read_full(int fd, std::span<std::byte> into) {
    return repeat(into.size(), [&](std::size_t done) {
        return ::read(fd, into.data() + done, into.size() - done);
    });
}

ssize_t pread_full(int fd, std::span<std::byte> into, off_t offset) {
    return repeat(into.size(), [&](std::size_t done) {
        return ::pread(fd, into.data() + done, into.size() - done,
                       offset + static_cast<off_t>(done));
    });
}

bool write_full(int fd, ByteView bytes) {
    return all(repeat(bytes.size(),
                      [&](std::size_t done) {
                          return ::write(fd, bytes.data() + done, bytes.size() - done);
                      }),
               bytes.size());
}

bool pwrite_full(int fd, ByteView bytes, off_t offset) {
    return all(repeat(bytes.size(),
                      [&](std::size_t done) {
                          return ::pwrite(fd, bytes.data() + done, bytes.size() - done,
                                          offset + static_cast<off_t>(done));
                      }),
               bytes.size());
}

}  // namespace coffre
