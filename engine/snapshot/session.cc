#include "engine/snapshot/session.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "engine/repository/names.h"
#include "engine/util/clock.h"
#include "engine/util/host.h"
#include "engine/util/small_file.h"

namespace coffre {

namespace {

constexpr auto beat_interval = std::chrono::minutes(10);

std::string first_line(char const* path) {
    try {
        std::string const text = read_small_file(path, 4096).value_or("");
        return text.substr(0, text.find('\n'));
    } catch (SourceError const&) {
        return "";  // no /proc: then a collector goes by heartbeats alone
    }
}

// The 22nd field of /proc/self/stat; the second may hold blanks and is in parentheses.
std::uint64_t own_start_ticks() {
    std::string const line = first_line("/proc/self/stat");
    std::size_t at = line.rfind(')');
    for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
    return at == std::string::npos ? 0 : std::strtoull(line.c_str() + at, nullptr, 10);
}

std::uint64_t own_pid_namespace() {
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
}

}  // namespace

Session::Session(Backend& store, KeyRing const& keys)
    : store_(store), keys_(keys), id_(random_id<SessionId>()) {
    record_.host = host_name();
    record_.boot_id = first_line("/proc/sys/kernel/random/boot_id");
    record_.pid_namespace = own_pid_namespace();
    record_.pid = static_cast<std::uint64_t>(::getpid());
    record_.process_start = own_start_ticks();
    record_.created_ns = now_ns();
    announce(names::session(id_));
    heart_ = std::jthread([this](std::stop_token const& stop) { beat(stop); });
}

Session::~Session() = default;

void Session::announce(std::string const& name) {
    Bytes const object = keys_.seal_object(ObjectKind::session, name, encode_session(record_));
    if (store_.put(name, object) != PutResult::stored) {
        throw RepositoryError(RepositoryFailure::failed, name + ": exists already");
    }
    store_.barrier();
}

void Session::beat(std::stop_token const& stop) {
    for (;;) {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, beat_interval, [] { return false; });
        if (stop.stop_requested()) return;
        ++record_.beat;
        try {
            announce(names::heartbeat(id_, record_.beat));
        } catch (RepositoryError const&) {
            // A missed beat costs at worst a second attempt; the store's own failure shows
            // elsewhere.
        }
    }
}

}  // namespace coffre
