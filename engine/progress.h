// How far a long command is; and the wish to stop it. Read by one thread while others write.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace coffre {

struct Progress {
    std::atomic<std::uint64_t> files{0};
    std::atomic<std::uint64_t> bytes{0};        // plaintext passed so far
    std::atomic<std::uint64_t> total_files{0};  // 0: not known (yet)
    std::atomic<std::uint64_t> total_bytes{0};
    bool wants_total = false;       // somebody is shown what is left: worth counting ahead
    std::atomic<bool> stop{false};  // set it, and the command ends as interrupted

    // Called for each thing that failed without ending the command: (path, message). Once at a
    // time, but from any thread.
    std::function<void(std::string const&, std::string const&)> on_failure;
    // Called for each entry when somebody listens: ("new", "/a/b").
    std::function<void(std::string const&, std::string const&)> on_item;

    // Counts from nothing: for another attempt.
    void restart();
    // Throws RepositoryError{interrupted} once `stop` is set.
    void check_stop() const;
    // Calls on_failure.
    void report_failure(std::string const& path, std::string const& message) const;

private:
    mutable std::mutex failure_mutex_;
};

}  // namespace coffre
