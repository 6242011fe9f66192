// Ctrl-C, a service's stop and a lost terminal end a command in order.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <csignal>

#include "engine/progress.h"

namespace coffre::cli {

// While it lives, SIGINT, SIGTERM and SIGHUP set progress.stop; afterwards they do what they did
// before. One at a time. `progress` outlives it.
class StopSignals {
public:
    explicit StopSignals(Progress& progress);
    StopSignals(StopSignals const&) = delete;
    StopSignals& operator=(StopSignals const&) = delete;
    ~StopSignals();

private:
    struct sigaction interrupt_ {};
    struct sigaction terminate_ {};
    struct sigaction hang_up_ {};
};

}  // namespace coffre::cli
