#include "engine/util/process.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>

namespace coffre {
namespace {

enum Answer { lives, ended, not_allowed };

// The exit code of a child that does this.
int in_a_child(std::function<int()> const& action) {
    pid_t const child = ::fork();
    if (child == 0) ::_exit(action());
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// As for a process that /proc does not show: its file is empty, for this process only.
bool hide(ProcessIdentity const& process) {
    std::string const file = "/proc/" + std::to_string(process.pid) + "/stat";
    return ::unshare(CLONE_NEWNS) == 0 &&
           ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
           ::mount("/dev/null", file.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

TEST(Process, ThatRunsHasNotEnded) {
    EXPECT_FALSE(has_ended(this_process()));
}

TEST(Process, WithTheNumberOfAnotherHasEnded) {
    ProcessIdentity earlier = this_process();
    ++earlier.start;
    EXPECT_TRUE(has_ended(earlier));
}

TEST(Process, ThatWasReapedHasEnded) {
    ProcessIdentity gone = this_process();
    pid_t const child = ::fork();
    if (child == 0) ::_exit(0);
    ::waitpid(child, nullptr, 0);
    gone.pid = static_cast<std::uint64_t>(child);
    EXPECT_TRUE(has_ended(gone));
}

TEST(Process, OfWhichNothingCanBeReadHasNotEnded) {
    ProcessIdentity const parent = this_process();
    int const answer = in_a_child([&] {
        if (!hide(parent)) return not_allowed;
        return has_ended(parent) ? ended : lives;
    });
    if (answer == not_allowed) GTEST_SKIP() << "only root can hide a process";
    EXPECT_EQ(answer, lives);
}

}  // namespace
}  // namespace coffre
