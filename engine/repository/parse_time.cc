// Moments as a user writes them.
#include <cstdlib>
#include <ctime>
#include <optional>
#include <stdexcept>

#include "engine/snapshots.h"

namespace coffre {

namespace {

// strptime() takes a 31st of February.
bool is_calendar_day(struct tm tm) {
    int const day = tm.tm_mday;
    ::timegm(&tm);
    return tm.tm_mday == day;
}

// ".25" at the beginning of `rest`, in nanoseconds; taken away from it.
std::int64_t take_fraction(std::string& rest) {
    if (rest.size() < 2 || rest[0] != '.') return 0;
    std::int64_t fraction = 0;
    std::int64_t scale = 100'000'000;
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] >= '0' && rest[i] <= '9'; ++i, scale /= 10) {
        fraction += (rest[i] - '0') * scale;
    }
    rest = rest.substr(i);
    return fraction;
}

// Seconds since 1970 of a calendar time in `zone`: "" is local, "Z", "+02:00". Nothing when the
// zone is none.
std::optional<std::int64_t> seconds_in_zone(struct tm tm, std::string const& zone) {
    tm.tm_isdst = -1;
    if (zone.empty()) return ::mktime(&tm);
    if (zone == "Z") return ::timegm(&tm);
    struct tm shift {};
    bool const has_sign = zone[0] == '+' || zone[0] == '-';
    if (!has_sign || zone.size() != 6) return std::nullopt;
    if (::strptime(zone.c_str() + 1, "%H:%M", &shift) != zone.c_str() + 6) return std::nullopt;
    std::int64_t const seconds = shift.tm_hour * 3600 + shift.tm_min * 60;
    return ::timegm(&tm) - (zone[0] == '+' ? seconds : -seconds);
}

}  // namespace

std::int64_t parse_time(std::string const& text) {
    for (auto const* format : {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                               "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
        struct tm tm {};
        char const* const end = ::strptime(text.c_str(), format, &tm);
        if (end == nullptr) continue;
        std::string rest = end;
        std::int64_t const fraction = take_fraction(rest);
        auto const seconds = seconds_in_zone(tm, rest);
        constexpr std::int64_t farthest = 9'000'000'000;  // of what fits in nanoseconds
        if (!seconds || std::abs(*seconds) > farthest || !is_calendar_day(tm)) break;
        return *seconds * 1'000'000'000 + fraction;
    }
    throw std::invalid_argument("\"" + text + "\" is not a time: write 2026-08-02, " +
                                "2026-08-02 13:00:05 or 2026-08-02T13:00:05+02:00");
}

}  // namespace coffre
