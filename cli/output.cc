#include "cli/output.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "engine/error.h"
#include "engine/utf8.h"

namespace coffre::cli {

namespace {

std::string base64(std::string const& text) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += 3) {
        std::size_t const count = std::min<std::size_t>(3, text.size() - at);
        unsigned group = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            group = group << 8U | (i < count ? static_cast<unsigned char>(text[at + i]) : 0U);
        }
        for (std::size_t i = 0; i < 4; ++i) {
            out.push_back(i <= count ? digits[group >> (18 - 6 * i) & 63U] : '=');
        }
    }
    return out;
}

// A year has four digits in every form that is shown: beyond them the time is the last, or first.
struct tm local_time(TimePoint const& time) {
    constexpr std::int64_t day = 86'400;  // more than any zone is off
    constexpr std::int64_t first = -30'610'224'000 + day;
    constexpr std::int64_t last = 253'402'300'799 - day;
    time_t const seconds = std::clamp<std::int64_t>(time.seconds, first, last);
    struct tm parts {};
    ::localtime_r(&seconds, &parts);
    return parts;
}

void print_message(GlobalOptions const& options, char const* type, std::string const& message) {
    if (!options.json) return print_error("repo: " + printable(message));
    nlohmann::json document{{"message_type", type}};
    if (std::string_view(type) == "error") document["item"] = "";
    put_text(document, "message", message);
    print_error(document.dump());
}

}  // namespace

void print(std::string const& line) {
    print_bytes(as_bytes(line + "\n"));
}

void print_bytes(ByteView bytes) {
    bool const ok = std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size() &&
                    std::fflush(stdout) == 0;
    if (ok) return;
    throw SourceError(
        "", "standard output cannot be written: " + std::generic_category().message(errno));
}

void print_error(std::string const& line) {
    std::fputs((line + "\n").c_str(), stderr);
}

std::string size_text(std::uint64_t bytes) {
    static constexpr char const* units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, units[unit]);
}

std::string rate_text(double bytes_a_second) {
    return size_text(static_cast<std::uint64_t>(bytes_a_second)) + "/s";
}

std::string number_text(std::uint64_t number) {
    std::string text = std::to_string(number);
    for (std::size_t at = text.size(); at > 3;) text.insert(at -= 3, 1, ',');
    return text;
}

TimePoint time_point(std::int64_t ns) {
    std::int64_t const second = 1'000'000'000;
    std::int64_t const fraction = (ns % second + second) % second;
    return {(ns - fraction) / second, static_cast<std::uint32_t>(fraction)};
}

std::string time_text(std::int64_t ns) {
    return time_text(time_point(ns));
}

std::string time_text(TimePoint const& time) {
    struct tm const parts = local_time(time);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return text.data();
}

std::string rfc3339(std::int64_t ns) {
    return rfc3339(time_point(ns));
}

std::string rfc3339(TimePoint const& time) {
    struct tm const parts = local_time(time);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
    long const offset = parts.tm_gmtoff / 60;
    return fmt::format("{}.{:09}{}{:02}:{:02}", text.data(), time.nanoseconds,
                       offset < 0 ? '-' : '+', std::labs(offset) / 60, std::labs(offset) % 60);
}

std::string duration_text(double seconds) {
    auto const whole = static_cast<std::uint64_t>(seconds);
    if (seconds < 60) return fmt::format("{:.1f} s", seconds);
    if (seconds < 3600) return fmt::format("{}:{:02} min", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02} h", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string age_text(std::int64_t seconds) {
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 60 * minute;
    constexpr std::int64_t day = 24 * hour;
    if (seconds >= 2 * day) return fmt::format("{} days", seconds / day);
    if (seconds >= 2 * hour) return fmt::format("{} h", seconds / hour);
    if (seconds >= 2 * minute) return fmt::format("{} min", seconds / minute);
    return fmt::format("{} s", std::max<std::int64_t>(seconds, 0));
}

std::string printable(std::string const& text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t const length = utf8_length(text, at);
        auto const byte = static_cast<unsigned char>(text[at]);
        // U+0080 to U+009F control terminals as well.
        bool const is_c1 = byte == 0xc2 && length == 2 && (text[at + 1] & 0xff) < 0xa0;
        if (length == 0 || byte < 0x20 || byte == 0x7f || is_c1) {
            out += fmt::format("\\x{:02x}", byte);
            ++at;
        } else {
            out.append(text, at, length);
            at += length;
        }
    }
    return out;
}

std::string joined(std::vector<std::string> const& texts, char const* separator) {
    std::string all;
    for (auto const& text : texts) all.append(all.empty() ? "" : separator).append(printable(text));
    return all;
}

std::uint64_t parse_size(std::string const& text) {
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    static constexpr std::string_view units = "kmgt";
    std::string suffix = text.substr(digits);
    for (std::string_view const tail : {"iB", "ib", "B", "b"}) {
        bool const is_it = suffix.ends_with(tail) && (tail.size() == 1 || suffix.size() == 3);
        if (!is_it) continue;
        suffix.resize(suffix.size() - tail.size());
        break;
    }
    std::size_t const unit =
        suffix.size() == 1 ? units.find(static_cast<char>(std::tolower(suffix[0]))) : 0;
    if (digits == 0 || digits > 15 || suffix.size() > 1 || unit == std::string_view::npos) {
        throw std::invalid_argument("\"" + text + "\" is not a size: write 500, 64K, 10M or 2G");
    }
    auto const shift = suffix.empty() ? 0U : 10U * static_cast<unsigned>(unit + 1);
    std::uint64_t const value = std::stoull(text.substr(0, digits));
    if (value > (UINT64_MAX >> shift)) throw std::invalid_argument("\"" + text + "\" is too large");
    return value << shift;
}

std::int64_t parse_duration(std::string const& text) {
    static std::map<char, std::int64_t> const units{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    std::size_t digits = 0;
    while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
    auto const unit = digits + 1 == text.size() ? units.find(text.back()) : units.end();
    if (digits == 0 || digits > 9 || unit == units.end()) {
        throw std::invalid_argument("\"" + text +
                                    "\" is not a duration: write 90s, 10m, 26h or 30d");
    }
    constexpr std::int64_t longest =
        std::int64_t{100} * 366 * 86'400;  // in ns it fits into 64 bits
    auto const seconds = std::stoll(text.substr(0, digits)) * unit->second;
    if (seconds > longest) throw std::invalid_argument("\"" + text + "\" is longer than 100 years");
    return seconds;
}

void put_text(nlohmann::json& document, std::string const& key, std::string const& text) {
    if (is_utf8(text)) {
        document[key] = text;
        return;
    }
    document[key] = printable(text);
    document[key + "_b64"] = base64(text);
}

void put_texts(nlohmann::json& document, std::string const& key,
               std::vector<std::string> const& texts) {
    auto shown = nlohmann::json::array();
    auto exact = nlohmann::json::array();
    for (auto const& text : texts) {
        shown.push_back(is_utf8(text) ? text : printable(text));
        exact.push_back(base64(text));
    }
    document[key] = std::move(shown);
    if (!std::all_of(texts.begin(), texts.end(), is_utf8))
        document[key + "_b64"] = std::move(exact);
}

void print_failure(GlobalOptions const& options, std::string const& message) {
    print_message(options, "error", message);
}

void print_warning(GlobalOptions const& options, std::string const& message) {
    print_message(options, "warning", message);
}

std::string verification_text(Verification const& verification, std::int64_t now_s) {
    std::string text =
        verification.packs_never == 0
            ? "all packs"
            : fmt::format("never: {} packs, {}", number_text(verification.packs_never),
                          size_text(verification.bytes_never));
    if (verification.oldest_s)
        text += fmt::format("; the oldest {} ago", age_text(now_s - *verification.oldest_s));
    if (verification.packs_damaged > 0)
        text += fmt::format("; damaged: {} packs", number_text(verification.packs_damaged));
    return text;
}

std::string incomplete_mark(Snapshot const& snapshot) {
    return snapshot.failure_count > 0 ? "  (incomplete)" : "";
}

std::string unread_text(Snapshot const& snapshot) {
    return fmt::format("{} source{} could not be read whole", number_text(snapshot.failure_count),
                       snapshot.failure_count == 1 ? "" : "s");
}

std::string same_disk_text(std::vector<std::string> const& paths) {
    std::string const more =
        paths.size() > 1 ? fmt::format(" and {} more", paths.size() - 1) : std::string();
    return fmt::format(
        "the repository is on the same file system as {}{}: one broken disk would take both",
        paths.at(0), more);
}

nlohmann::json snapshot_json(NamedSnapshot const& named) {
    Snapshot const& snapshot = named.snapshot;
    nlohmann::json document{{"id", named.id.hex()},
                            {"short_id", named.id.hex().substr(0, 8)},
                            {"time", rfc3339(snapshot.time_ns)},
                            {"tree_digest", snapshot.root.digest.hex()}};
    put_text(document, "program_version", snapshot.program);
    put_text(document, "hostname", snapshot.host);
    put_text(document, "username", snapshot.user);
    put_texts(document, "tags", snapshot.tags);
    put_texts(document, "streams", snapshot.streams);
    put_texts(document, "paths", snapshot.paths);
    if (snapshot.parent) document["parent"] = snapshot.parent->hex();
    if (snapshot.was) document["was"] = snapshot.was->hex();
    document["pinned"] = snapshot.pinned;
    Statistics const& s = snapshot.statistics;
    document["summary"] = {{"files_new", s.files_new},
                           {"files_changed", s.files_changed},
                           {"files_unmodified", s.files_unmodified},
                           {"dirs_total", s.directories},
                           {"others_total", s.others},
                           {"total_files_processed", s.files},
                           {"total_bytes_processed", s.bytes},
                           {"bytes_read", s.bytes_read},
                           {"data_added", s.bytes_added},
                           {"data_added_packed", s.bytes_stored},
                           {"chunks_new", s.chunks_new},
                           {"chunks_reused", s.chunks_reused},
                           {"failures", snapshot.failure_count},
                           {"backup_start", rfc3339(snapshot.started_ns)},
                           {"backup_end", rfc3339(snapshot.finished_ns)}};
    return document;
}

}  // namespace coffre::cli
