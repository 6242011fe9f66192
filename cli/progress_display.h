// How far a command is, shown while it runs.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "cli/context.h"
#include "cli/stop_signals.h"
#include "engine/progress.h"

namespace coffre::cli {

// Shows progress while it lives, where a terminal or REPO_PROGRESS_FPS asks for it, and lets
// signals stop the command. One at a time. Throws std::invalid_argument for a rate that is none.
class ProgressDisplay {
public:
    ProgressDisplay(Progress& progress, GlobalOptions const& options);
    ProgressDisplay(ProgressDisplay const&) = delete;
    ProgressDisplay& operator=(ProgressDisplay const&) = delete;
    ~ProgressDisplay();

    // A line among the progress, on standard error or standard output; as print_error(), print().
    void say(std::string const& text);
    void print(std::string const& text);
    double seconds() const;

private:
    void clear();
    void show();
    std::string line() const;
    void run(double interval_seconds);

    Progress& progress_;
    GlobalOptions const& options_;
    StopSignals signals_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    bool on_terminal_ = false;
    std::mutex mutex_;
    std::condition_variable wake_;
    bool done_ = false;
    std::thread thread_;
};

// Failures of single entries are printed as they come, as text or JSON.
void report_failures(Progress& progress, ProgressDisplay& display, GlobalOptions const& options);

}  // namespace coffre::cli
