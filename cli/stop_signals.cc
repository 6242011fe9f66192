#include "cli/stop_signals.h"

#include <atomic>
#include <utility>

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
    for (auto const& [signal, before] :
         {std::pair(SIGINT, &interrupt_), {SIGTERM, &terminate_}, {SIGHUP, &hang_up_}}) {
        ::sigaction(signal, &action, before);
        // As `nohup` says that a lost terminal does not matter.
        if (before->sa_handler == SIG_IGN) ::sigaction(signal, before, nullptr);
    }
}

StopSignals::~StopSignals() {
    ::sigaction(SIGINT, &interrupt_, nullptr);
    ::sigaction(SIGTERM, &terminate_, nullptr);
    ::sigaction(SIGHUP, &hang_up_, nullptr);
    stoppable = nullptr;
}

}  // namespace coffre::cli
