#include "cli/metrics.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "cli/output.h"

namespace coffre::cli {

namespace {

std::string with_backslashes(std::string const& text, std::string_view before) {
    std::string escaped;
    for (char const c : text) {
        if (before.find(c) != std::string_view::npos) escaped += '\\';
        escaped += c;
    }
    return escaped;
}

// Two lists never give the same value: a file with the same series twice is refused as a whole.
std::string label_value(std::vector<std::string> const& texts) {
    std::string joined;
    for (auto const& text : texts) {
        if (!joined.empty()) joined += ',';
        joined += with_backslashes(text, "\\,");
    }
    return with_backslashes(printable(joined), "\\\"");
}

std::string labels_of(SnapshotGroup const& group) {
    Snapshot const& snapshot = group.newest.snapshot;
    return fmt::format(R"({{host="{}",paths="{}",streams="{}"}})", label_value({snapshot.host}),
                       label_value(snapshot.paths), label_value(snapshot.streams));
}

std::string seconds_text(std::int64_t ns) {
    return fmt::format("{:.3f}", static_cast<double>(ns) / 1e9);
}

class Metrics {
public:
    void head(std::string const& name, char const* help) {
        text_ += fmt::format("# HELP {} {}\n# TYPE {} gauge\n", name, help, name);
    }
    template <class Value>
    void sample(std::string const& name, Value const& value, std::string const& labels = "") {
        text_ += fmt::format("{}{} {}\n", name, labels, value);
    }
    template <class Value>
    void single(std::string const& name, char const* help, Value const& value) {
        head(name, help);
        sample(name, value);
    }
    template <class Of>
    void of_groups(std::vector<SnapshotGroup> const& groups, std::string const& name,
                   char const* help, Of const& value_of) {
        if (groups.empty()) return;
        head(name, help);
        for (auto const& group : groups) sample(name, value_of(group), labels_of(group));
    }
    std::string take() { return std::move(text_); }

private:
    std::string text_;
};

void add_groups(Metrics& metrics, std::vector<SnapshotGroup> const& groups) {
    std::vector<SnapshotGroup> current;
    std::copy_if(groups.begin(), groups.end(), std::back_inserter(current),
                 [](auto const& group) { return !group.is_superseded; });
    metrics.of_groups(
        current, "coffre_last_snapshot_timestamp_seconds",
        "The moment that the newest snapshot shows; when it was made, if that lies ahead.",
        [](auto const& g) { return seconds_text(g.is_ahead ? 0 : g.newest_ns); });
    metrics.of_groups(current, "coffre_last_snapshot_size_bytes",
                      "Size of the files and streams of the newest snapshot.",
                      [](auto const& g) { return g.newest.snapshot.statistics.bytes; });
    metrics.of_groups(current, "coffre_last_snapshot_failures",
                      "Sources that the newest snapshot could not read whole.",
                      [](auto const& g) { return g.newest.snapshot.failure_count; });
    metrics.of_groups(groups, "coffre_snapshots", "Snapshots.",
                      [](auto const& g) { return g.snapshots; });
}

void add_checks(Metrics& metrics, RepositoryStatus const& status) {
    CheckRun const check = status.last_check.value_or(CheckRun{});
    CheckRun const read_data = status.last_read_data.value_or(CheckRun{});
    metrics.single("coffre_last_check_timestamp_seconds",
                   "End of the last complete check by this machine, 0: never.", check.time_s);
    metrics.single("coffre_last_check_errors", "What it found.", check.errors);
    metrics.single("coffre_last_read_data_check_timestamp_seconds",
                   "End of the last check that read all packs, 0: never.", read_data.time_s);
    Verification const& verification = status.verification;
    std::int64_t const none = verification.packs_never > 0 ? 0 : status.now_ns / 1'000'000'000;
    metrics.single("coffre_oldest_verification_timestamp_seconds",
                   "When the pack that was read longest ago was read, 0: none was ever read.",
                   verification.oldest_s.value_or(none));
    metrics.single("coffre_unverified_bytes", "Size of the packs that were never read.",
                   verification.bytes_never);
    metrics.single("coffre_damaged_packs", "Packs that were damaged when they were last read.",
                   verification.packs_damaged);
}

void add_copies(Metrics& metrics, std::vector<CopyElsewhere> const& copies) {
    std::int64_t newest_ns = 0;
    for (auto const& copy : copies) newest_ns = std::max(newest_ns, copy.time_ns);
    metrics.single("coffre_newest_copy_timestamp_seconds",
                   "The moment that the newest snapshot shows that was copied elsewhere.",
                   seconds_text(newest_ns));
    if (copies.empty()) return;
    std::string const name = "coffre_copy_timestamp_seconds";
    metrics.head(name, "The same of each repository that was copied to.");
    for (auto const& copy : copies) {
        metrics.sample(name, seconds_text(copy.time_ns),
                       fmt::format(R"({{destination="{}",repository="{}"}})",
                                   label_value({copy.destination}), copy.repository.hex()));
    }
}

std::error_code last_error() {
    return {errno, std::generic_category()};
}

// A new file under a name that nobody could foresee, in a folder that may be another user's.
// Whoever gathers metrics may be yet another.
std::error_code write_readable(std::string& name, std::string const& text) {
    int const fd = ::mkostemp(name.data(), O_CLOEXEC);
    if (fd < 0) return last_error();
    mode_t const mask = ::umask(0);
    ::umask(mask);
    bool const is_open_to_others = ::fchmod(fd, 0666 & ~mask) == 0;
    FILE* const file = is_open_to_others ? ::fdopen(fd, "w") : nullptr;
    if (file == nullptr) {
        auto const error = last_error();
        ::close(fd);
        return error;
    }
    bool const is_written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
    auto const error = last_error();
    if (std::fclose(file) != 0) return last_error();
    return is_written ? std::error_code() : error;
}

}  // namespace

std::string metrics_text(RepositoryStatus const& status) {
    Metrics metrics;
    add_groups(metrics, status.groups);
    add_checks(metrics, status);
    CondemnedPacks const condemned = status.condemned.value_or(CondemnedPacks{});
    auto const open =
        std::count_if(status.open_sessions.begin(), status.open_sessions.end(),
                      [](UnfinishedSession const& session) { return !session.has_ended; });
    metrics.single("coffre_stored_bytes", "Size of all objects.", status.stored_bytes);
    metrics.single("coffre_packs", "Packs.", status.packs);
    metrics.single("coffre_condemned_bytes", "Size of the packs that the next prune may remove.",
                   condemned.bytes);
    if (status.garbage) {
        metrics.single("coffre_garbage_bytes", "Size of what no snapshot needs.",
                       status.garbage->bytes + status.garbage->bytes_among_needed);
    }
    add_copies(metrics, status.copies);
    metrics.single("coffre_open_sessions", "Snapshots that are being made.", open);
    metrics.single("coffre_damaged_objects", "Objects that could not be read.",
                   status.errors.size());
    metrics.single("coffre_same_file_system",
                   "1: the repository shares a file system with what it protects.",
                   status.paths_beside.empty() ? 0 : 1);
    metrics.single("coffre_status_timestamp_seconds", "When this was gathered.",
                   seconds_text(status.now_ns));
    return metrics.take();
}

void replace_metrics(std::string const& path, std::string const& text) {
    // Not the link that leads to it.
    std::string const place = std::filesystem::weakly_canonical(path);
    if (std::filesystem::exists(place) && !std::filesystem::is_regular_file(place))
        throw SourceError(path, path + ": is not a file: nothing was written");
    std::string temporary = place + ".new-XXXXXX";
    std::error_code error = write_readable(temporary, text);
    if (!error) std::filesystem::rename(temporary, place, error);
    if (!error) return;
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw SourceError(path, path + ": cannot be written: " + error.message());
}

}  // namespace coffre::cli
