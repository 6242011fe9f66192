#include "engine/restore/sync_behind.h"

namespace coffre {

void SyncBehind::add(std::uint64_t bytes) {
    std::lock_guard const lock(mutex_);
    written_ += bytes;
    if (written_ < step_ || runs_ || failure_) return;
    written_ = 0;
    runs_ = true;
    running_ = std::async(std::launch::async, [this] { run(); });
}

void SyncBehind::run() {
    std::exception_ptr failure;
    try {
        sync_();
    } catch (...) {
        failure = std::current_exception();
    }
    std::lock_guard const lock(mutex_);
    failure_ = failure;
    runs_ = false;
}

void SyncBehind::finish() {
    if (running_.valid()) running_.wait();
    if (failure_) std::rethrow_exception(failure_);
}

}  // namespace coffre
