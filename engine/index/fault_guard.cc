#include "engine/index/fault_guard.h"

#include <array>
#include <csetjmp>
#include <csignal>
#include <mutex>

namespace coffre {

namespace {

thread_local sigjmp_buf* landing = nullptr;

constexpr std::array<int, 2> faults{SIGSEGV, SIGBUS};
std::array<struct sigaction, 2> handlers_before;

void on_fault(int signal, siginfo_t*, void*) {
    if (landing != nullptr) ::siglongjmp(*landing, 1);
    // Not ours: the instruction runs again, and meets who was there before.
    for (std::size_t i = 0; i < faults.size(); ++i) {
        if (faults[i] == signal) ::sigaction(signal, &handlers_before[i], nullptr);
    }
}

void install_handlers() {
    static std::once_flag once;
    std::call_once(once, [] {
        struct sigaction action {};
        action.sa_sigaction = on_fault;
        action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
        for (std::size_t i = 0; i < faults.size(); ++i) {
            ::sigaction(faults[i], &action, &handlers_before[i]);
        }
    });
}

void on_assertion(MDB_env*, char const*) {
    if (landing != nullptr) ::siglongjmp(*landing, 1);
}

}  // namespace

bool survives(void (*call)(void*), void* context) {
    install_handlers();
    sigjmp_buf here;
    sigjmp_buf* const outer = landing;
    if (sigsetjmp(here, 0) != 0) {
        landing = outer;
        return false;
    }
    landing = &here;
    call(context);
    landing = outer;
    return true;
}

void catch_assertions(MDB_env* environment) {
    ::mdb_env_set_assert(environment, on_assertion);
}

}  // namespace coffre
