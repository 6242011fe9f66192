#include "child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <stdexcept>

#include "engine/util/fd.h"

namespace coffre::proof {

namespace {

[[noreturn]] void be_child(std::function<std::string()> const& action, unsigned seconds,
                           Fd const& out) {
    for (int const number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
        (void)::signal(number, SIG_DFL);
    }
    ::alarm(seconds);
    std::string complaint;
    try {
        complaint = action();
    } catch (std::exception const& error) {
        complaint = std::string("threw: ") + error.what();
    }
    write_full(out.get(), as_bytes(complaint));
    ::_exit(complaint.empty() ? 0 : child_failed);
}

std::string read_all(Fd const& in) {
    std::string text;
    std::array<char, 4096> part{};
    for (;;) {
        ssize_t const got = ::read(in.get(), part.data(), part.size());
        if (got <= 0) return text;
        text.append(part.data(), static_cast<std::size_t>(got));
    }
}

}  // namespace

std::string ChildEnd::describe() const {
    if (signal != 0) return std::string("ended by ") + ::strsignal(signal);
    return "exit code " + std::to_string(exit_code) + ": " + message;
}

ChildEnd run_in_child(std::function<std::string()> const& action, unsigned seconds) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) throw std::runtime_error("no pipe");
    Fd const in(ends[0]);
    Fd out(ends[1]);
    pid_t const child = ::fork();
    if (child < 0) throw std::runtime_error("cannot fork");
    if (child == 0) be_child(action, seconds, out);
    out = Fd();
    ChildEnd end;
    end.message = read_all(in);
    int status = 0;
    if (::waitpid(child, &status, 0) != child) throw std::runtime_error("lost a child");
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    return end;
}

}  // namespace coffre::proof
