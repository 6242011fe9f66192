#include "engine/util/owners.h"

#include <grp.h>
#include <pwd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "engine/error.h"
#include "engine/util/fd.h"

namespace coffre {

namespace {

constexpr std::size_t first_buffer = 4096;

// getpwuid_r(3) lists these; with all other codes systems say that there is no such entry.
bool is_failure(int code) {
    constexpr int failures[] = {EINTR, EIO, EMFILE, ENFILE, ENOMEM, ERANGE};
    return std::find(std::begin(failures), std::end(failures), code) != std::end(failures);
}

// The entry that `look_up` finds, as `use` has it. A group's entry names all its members.
template <class Entry, class LookUp, class Use>
auto find_entry(std::string const& what, LookUp const& look_up, Use const& use)
    -> std::optional<decltype(use(Entry{}))> {
    for (std::vector<char> buffer(first_buffer);; buffer.resize(2 * buffer.size())) {
        Entry entry{};
        Entry* found = nullptr;
        int const code = look_up(&entry, buffer.data(), buffer.size(), &found);
        if (found != nullptr) return use(entry);
        if (code == ERANGE) continue;
        if (!is_failure(code)) return std::nullopt;
        throw SourceError("", "cannot look up " + what + ": " + errno_text(code));
    }
}

}  // namespace

std::optional<std::string> name_of_user(uid_t number) {
    return find_entry<struct passwd>(
        "user " + std::to_string(number), [&](auto... to) { return ::getpwuid_r(number, to...); },
        [](struct passwd const& entry) { return std::string(entry.pw_name); });
}

std::optional<std::string> name_of_group(gid_t number) {
    return find_entry<struct group>(
        "group " + std::to_string(number), [&](auto... to) { return ::getgrgid_r(number, to...); },
        [](struct group const& entry) { return std::string(entry.gr_name); });
}

std::optional<uid_t> user_of_name(std::string const& name) {
    return find_entry<struct passwd>(
        "user " + name, [&](auto... to) { return ::getpwnam_r(name.c_str(), to...); },
        [](struct passwd const& entry) { return entry.pw_uid; });
}

std::optional<gid_t> group_of_name(std::string const& name) {
    return find_entry<struct group>(
        "group " + name, [&](auto... to) { return ::getgrnam_r(name.c_str(), to...); },
        [](struct group const& entry) { return entry.gr_gid; });
}

}  // namespace coffre
