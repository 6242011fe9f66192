#include "failing_system.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace coffre::proof {

namespace {

std::atomic<SystemCall> chosen{SystemCall::sync};
std::atomic<int> calls_left{0};  // 1: the next one fails; 0: none does
std::atomic<int> planned_error{0};
std::atomic<bool> has_failed{false};

bool fails_now(SystemCall call) {
    if (call != chosen || calls_left <= 0 || --calls_left != 0) return false;
    has_failed = true;
    errno = planned_error;
    return true;
}

}  // namespace

void fail_system_call(SystemCall call, int count, int error) {
    has_failed = false;
    chosen = call;
    planned_error = error;
    calls_left = count;
}

bool stop_failing_system_calls() {
    calls_left = 0;
    return has_failed;
}

}  // namespace coffre::proof

// Each takes the place of the C library's in this program.

using coffre::proof::fails_now;
using coffre::proof::SystemCall;

extern "C" int fsync(int fd) {
    if (fails_now(SystemCall::sync)) return -1;
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

extern "C" int linkat(int from_folder, char const* from, int to_folder, char const* to,
                      int flags) noexcept {
    if (fails_now(SystemCall::link)) return -1;
    return static_cast<int>(::syscall(SYS_linkat, from_folder, from, to_folder, to, flags));
}

extern "C" int unlinkat(int folder, char const* name, int flags) noexcept {
    if (fails_now(SystemCall::unlink)) return -1;
    return static_cast<int>(::syscall(SYS_unlinkat, folder, name, flags));
}
