#include "cli/progress_display.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/numbers.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

constexpr double slowest_fps = 0.001;

// Nothing when it is not asked for.
std::optional<double> wanted_fps() {
    char const* const text = std::getenv("REPO_PROGRESS_FPS");
    if (text == nullptr) return std::nullopt;
    auto const fps = number_in<double>(text);
    if (!fps || !(*fps >= slowest_fps && *fps <= 60))
        throw std::invalid_argument("REPO_PROGRESS_FPS: a number from 0.001 to 60");
    return fps;
}

}  // namespace

ProgressDisplay::ProgressDisplay(Progress& progress, GlobalOptions const& options)
    : progress_(progress), options_(options), signals_(progress) {
    auto const fps = wanted_fps();
    on_terminal_ = ::isatty(STDERR_FILENO) != 0 && !options.json;
    if (options.quiet || (!fps && !on_terminal_)) return;
    progress.wants_total = true;
    thread_ = std::thread([this, interval = 1 / fps.value_or(10)] { run(interval); });
}

ProgressDisplay::~ProgressDisplay() {
    {
        std::lock_guard const lock(mutex_);
        done_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    clear();
}

double ProgressDisplay::seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
}

void ProgressDisplay::run(double interval_seconds) {
    std::unique_lock lock(mutex_);
    auto const interval = std::chrono::duration<double>(interval_seconds);
    while (!wake_.wait_for(lock, interval, [this] { return done_; })) show();
    if (!on_terminal_) show();  // whoever logs the progress gets its end too
}

std::string ProgressDisplay::line() const {
    std::uint64_t const bytes = progress_.bytes;  // which others add to meanwhile
    std::uint64_t const total = progress_.total_bytes;
    double const rate = static_cast<double>(bytes) / std::max(seconds(), 0.001);
    std::string text = fmt::format("{}  {} files  {}  {}", duration_text(seconds()),
                                   number_text(progress_.files), size_text(bytes), rate_text(rate));
    if (total > bytes && rate > 0) {
        double const left = static_cast<double>(total - bytes) / rate;
        text += fmt::format("  {:.0f} %, {} left",
                            100.0 * static_cast<double>(bytes) / static_cast<double>(total),
                            duration_text(left));
    }
    return text;
}

// With the lock held, as show().
void ProgressDisplay::clear() {
    if (on_terminal_ && !options_.quiet) std::fputs("\r\x1b[K", stderr);
}

void ProgressDisplay::show() {
    if (options_.json) {
        nlohmann::json const status{{"message_type", "status"},
                                    {"seconds_elapsed", seconds()},
                                    {"files_done", progress_.files.load()},
                                    {"bytes_done", progress_.bytes.load()},
                                    {"total_files", progress_.total_files.load()},
                                    {"total_bytes", progress_.total_bytes.load()}};
        std::puts(status.dump().c_str());
        std::fflush(stdout);
    } else if (on_terminal_) {
        std::fputs(("\r" + line() + "\x1b[K").c_str(), stderr);
    } else {
        print_error(line());
    }
}

void ProgressDisplay::say(std::string const& text) {
    std::lock_guard const lock(mutex_);
    clear();
    print_error(text);
}

void ProgressDisplay::print(std::string const& text) {
    std::lock_guard const lock(mutex_);
    clear();
    cli::print(text);
}

void report_failures(Progress& progress, ProgressDisplay& display, GlobalOptions const& options) {
    progress.on_failure = [&](std::string const& path, std::string const& message) {
        if (!options.json) {
            std::string const of = path.empty() ? "" : printable(path) + ": ";
            return display.say("repo: " + of + printable(message));
        }
        nlohmann::json document{{"message_type", "error"}};
        put_text(document, "item", path);
        put_text(document, "message", message);
        display.say(document.dump());
    };
    if (options.verbose < 2) return;
    progress.on_item = [&](std::string const& action, std::string const& path) {
        if (!options.json) return display.say(action + "  " + printable(path));
        nlohmann::json document{{"message_type", "verbose_status"}, {"action", action}};
        put_text(document, "item", path);
        display.say(document.dump());
    };
}

}  // namespace coffre::cli
