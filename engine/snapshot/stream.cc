#include "engine/stream.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <functional>
#include <optional>
#include <thread>

#include "engine/error.h"
#include "engine/util/fd.h"

namespace coffre {

namespace {

[[noreturn]] void fail(std::string const& name, std::string const& message) {
    throw RepositoryError(RepositoryFailure::stream_failed, "stream \"" + name + "\": " + message);
}

constexpr int poll_interval_ms = 100;

// Reads a descriptor that may keep one waiting for ever, until it is cancelled.
class CancellableReader {
public:
    void cancel() { cancelled_ = true; }
    void restart() { cancelled_ = false; }

    bool is_cancelled() const { return cancelled_; }

    // While it waits it calls `look` now and then, which may throw.
    std::size_t read(
        std::string const& name, int fd, std::span<std::byte> into,
        std::function<void()> const& look = [] {}) const {
        std::size_t done = 0;
        while (done < into.size()) {
            wait(name, fd, look);
            ssize_t const size = ::read(fd, into.data() + done, into.size() - done);
            if (size < 0 && errno == EINTR) continue;
            if (size < 0) fail(name, "cannot be read: " + errno_text());
            if (size == 0) break;
            done += static_cast<std::size_t>(size);
        }
        return done;
    }

private:
    void wait(std::string const& name, int fd, std::function<void()> const& look) const {
        struct pollfd state {};
        state.fd = fd;
        state.events = POLLIN;
        while (!cancelled_) {
            int const ready = ::poll(&state, 1, poll_interval_ms);
            if (ready > 0) return;
            if (ready < 0 && errno != EINTR) fail(name, "cannot be read: " + errno_text());
            look();
        }
        fail(name, "cancelled");
    }

    std::atomic<bool> cancelled_{false};
};

class FdStream final : public StreamSource {
public:
    FdStream(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
    std::string const& name() const override { return name_; }
    std::size_t read(std::span<std::byte> into) override { return reader_.read(name_, fd_, into); }
    void finish() override {}
    void cancel() override { reader_.cancel(); }

private:
    std::string name_;
    int fd_;
    CancellableReader reader_;
};

// A child process, the head of a group of its own, so that what it started ends with it. Ended and
// reaped with its owner.
class Child {
public:
    Child() = default;
    explicit Child(pid_t pid) : pid_(pid) {}
    Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}
    Child& operator=(Child&& other) noexcept {
        std::swap(pid_, other.pid_);
        return *this;
    }
    Child(Child const&) = delete;
    Child& operator=(Child const&) = delete;
    ~Child() {
        if (pid_ == 0) return;
        ::kill(-pid_, SIGTERM);
        if (!ends_within(grace)) ::kill(-pid_, SIGKILL);
        wait();
    }
    // The status that waitpid() gives; nothing when the system does not know it any more.
    std::optional<int> wait() {
        int status = 0;
        pid_t waited = 0;
        do {
            waited = ::waitpid(pid_, &status, 0);
        } while (waited < 0 && errno == EINTR);
        pid_ = 0;
        return waited < 0 ? std::nullopt : std::optional(status);
    }

    // Whether it has ended; it is still to be waited for.
    bool ends_within(std::chrono::milliseconds time) const {
        auto const deadline = std::chrono::steady_clock::now() + time;
        while (std::chrono::steady_clock::now() < deadline) {
            siginfo_t ended{};
            int const how = WEXITED | WNOHANG | WNOWAIT;
            bool const is_known = ::waitid(P_PID, static_cast<id_t>(pid_), &ended, how) == 0;
            if (!is_known || ended.si_pid == pid_) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(poll_interval_ms / 10));
        }
        return false;
    }
    bool is_stopped() const {
        siginfo_t stopped{};
        int const how = WSTOPPED | WNOHANG | WNOWAIT;
        return ::waitid(P_PID, static_cast<id_t>(pid_), &stopped, how) == 0 &&
               stopped.si_pid == pid_;
    }

private:
    static constexpr std::chrono::seconds grace{5};

    pid_t pid_ = 0;
};

struct Pipe {
    Fd read_end;
    Fd write_end;
};

Pipe make_pipe(std::string const& name) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail(name, "no pipe: " + errno_text());
    return {Fd(ends[0]), Fd(ends[1])};
}

// This process's environment without the passphrase.
std::vector<char*> child_environment() {
    std::vector<char*> kept;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        if (!std::string_view(*entry).starts_with("REPO_PASSWORD")) kept.push_back(*entry);
    }
    kept.push_back(nullptr);
    return kept;
}

pid_t spawn(std::string const& name, std::vector<std::string> const& argv, int output) {
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    std::vector<char*> arguments;
    arguments.reserve(argv.size() + 1);
    for (auto const& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    auto environment = child_environment();
    pid_t pid = 0;
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    int const error = ::posix_spawnp(&pid, arguments[0], &actions, &attributes, arguments.data(),
                                     environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    if (error != 0) fail(name, "cannot start " + argv[0] + ": " + ::strerrordesc_np(error));
    return pid;
}

class CommandStream final : public StreamSource {
public:
    CommandStream(std::string name, std::vector<std::string> argv)
        : name_(std::move(name)), argv_(std::move(argv)) {
        if (argv_.empty()) fail(name_, "no command");
        start();
    }
    std::string const& name() const override { return name_; }
    std::size_t read(std::span<std::byte> into) override {
        return reader_.read(name_, output_.get(), into, [this] { require_running(); });
    }
    void cancel() override { reader_.cancel(); }
    void finish() override {
        output_.reset();
        while (!child_.ends_within(std::chrono::milliseconds(poll_interval_ms))) {
            if (reader_.is_cancelled()) fail(name_, "cancelled");
            require_running();
        }
        auto const status = child_.wait();
        if (!status) fail(name_, argv_[0] + ": how it ended is not known: " + errno_text());
        if (WIFSIGNALED(*status)) {
            fail(name_, argv_[0] + " was ended by signal " + std::to_string(WTERMSIG(*status)));
        }
        if (WEXITSTATUS(*status) != 0) {
            fail(name_,
                 argv_[0] + " failed with exit code " + std::to_string(WEXITSTATUS(*status)));
        }
    }

    bool restart() override {
        output_.reset();
        child_ = Child();
        reader_.restart();
        start();
        return true;
    }

private:
    // The terminal stops what asks there for a passphrase: only the program itself may.
    void require_running() const {
        if (!child_.is_stopped()) return;
        fail(name_, argv_[0] +
                        " was stopped: a stream's command cannot ask on the terminal; give it what "
                        "it needs in a file or in the environment");
    }

    void start() {
        Pipe pipe = make_pipe(name_);
        child_ = Child(spawn(name_, argv_, pipe.write_end.get()));
        output_ = std::move(pipe.read_end);
    }

    std::string name_;
    std::vector<std::string> argv_;
    Child child_;
    Fd output_;
    CancellableReader reader_;
};

}  // namespace

std::unique_ptr<StreamSource> stream_from_fd(std::string name, int fd) {
    return std::make_unique<FdStream>(std::move(name), fd);
}

std::unique_ptr<StreamSource> stream_from_command(std::string name,
                                                  std::vector<std::string> const& argv) {
    return std::make_unique<CommandStream>(std::move(name), argv);
}

}  // namespace coffre
