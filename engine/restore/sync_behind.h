// Makes durable what was written so far while more is being written, so that little is left to wait
// for in the end.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <future>
#include <mutex>

namespace coffre {

// Threads may share it.
class SyncBehind {
public:
    // Runs `sync` in a thread of its own whenever `step` bytes more were written, one at a time.
    SyncBehind(std::function<void()> sync, std::uint64_t step)
        : sync_(std::move(sync)), step_(step) {}

    void add(std::uint64_t bytes);
    // When nothing is added any more: waits for the sync that runs, if any. Throws what the first
    // that failed has thrown: the system tells each failure but once.
    void finish();

private:
    void run();

    std::function<void()> sync_;
    std::uint64_t step_;
    std::mutex mutex_;
    std::uint64_t written_ = 0;   // since the last sync began; by mutex_
    bool runs_ = false;           // by mutex_
    std::exception_ptr failure_;  // by mutex_
    std::future<void> running_;   // by mutex_; waits in its destructor
};

}  // namespace coffre
