#include "cli/stop_signals.h"

#include <atomic>

namespace coffre::cli {

namespace {

std::atomic<Progress*> stoppable{nullptr};

void on_signal(int) {
    if (Progress* const progress = stoppable.load()) progress->stop = true;
}

}  // namespace

StopSignals::StopSignals(Progress& progress) {
    stoppable = &progress;
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &action, &interrupt_);
    ::sigaction(SIGTERM, &action, &terminate_);
    ::sigaction(SIGHUP, &action, &hang_up_);
    // `nohup` says that a lost terminal does not matter.
    if (hang_up_.sa_handler == SIG_IGN) ::sigaction(SIGHUP, &hang_up_, nullptr);
}

StopSignals::~StopSignals() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
    ::sigaction(SIGHUP, &hang_up_, nullptr);
    stoppable = nullptr;
}

}  // namespace coffre::cli
