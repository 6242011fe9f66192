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

// Again for each environment: somebody may have put others in their place since.
void install_handlers() {
    static std::mutex mutex;
    std::lock_guard const lock(mutex);
    struct sigaction ours {};
    ours.sa_sigaction = on_fault;
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    for (std::size_t i = 0; i < faults.size(); ++i) {
        struct sigaction there {};
        ::sigaction(faults[i], nullptr, &there);
        bool const is_ours = (there.sa_flags & SA_SIGINFO) != 0 && there.sa_sigaction == on_fault;
        if (!is_ours) ::sigaction(faults[i], &ours, &handlers_before[i]);
    }
}

void on_assertion(MDB_env*, char const*) {
    if (landing != nullptr) ::siglongjmp(*landing, 1);
}

}  // namespace

bool survives(void (*call)(void*), void* context) {
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

void guard(MDB_env* environment) {
    install_handlers();
    ::mdb_env_set_assert(environment, on_assertion);
}

}  // namespace coffre
