#include "engine/util/process.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>

#include "engine/error.h"
#include "engine/util/small_file.h"

namespace coffre {

namespace {

std::string first_line(std::string const& path) {
    try {
        std::string const text = read_small_file(path, 4096).value_or("");
        return text.substr(0, text.find('\n'));
    } catch (SourceError const&) {
        return "";  // no /proc: then a collector goes by heartbeats alone
    }
}

// The 22nd field of /proc/PID/stat; the second may hold blanks and is in parentheses. 0 when it
// cannot be read, which says nothing about the process: /proc may hide those of other users.
std::uint64_t start_of(std::string const& pid) {
    std::string const line = first_line("/proc/" + pid + "/stat");
    std::size_t at = line.rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
    return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at, nullptr, 10);
}

std::uint64_t own_pid_namespace() {
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

}  // namespace

ProcessIdentity this_process() {
    ProcessIdentity own;
    own.boot_id = first_line("/proc/sys/kernel/random/boot_id");
    own.pid_namespace = own_pid_namespace();
    own.pid = static_cast<std::uint64_t>(::getpid());
    own.start = start_of("self");
    return own;
}

bool has_ended(ProcessIdentity const& process) {
    ProcessIdentity const own = this_process();
    bool const is_visible = !process.boot_id.empty() && process.boot_id == own.boot_id &&
                            process.pid_namespace != 0 &&
                            process.pid_namespace == own.pid_namespace && own.start != 0;
    if (!is_visible || process.pid == 0 || process.start == 0) return false;
    bool const has_pid = ::kill(static_cast<pid_t>(process.pid), 0) == 0 || errno != ESRCH;
    if (!has_pid) return true;
    std::uint64_t const start = start_of(std::to_string(process.pid));
    return start != 0 && start != process.start;
}

}  // namespace coffre
