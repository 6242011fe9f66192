#include "engine/util/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

namespace coffre {

namespace {

constexpr std::chrono::milliseconds interval{10};
constexpr std::chrono::seconds patience{5};

}  // namespace

FileLock::FileLock(std::string const& path)
    : fd_(::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
    auto const deadline = std::chrono::steady_clock::now() + patience;
    while (fd_ && ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        if (std::chrono::steady_clock::now() >= deadline) return;
        std::this_thread::sleep_for(interval);
    }
}

}  // namespace coffre
