// A collection must not be in the way of those for whom the repository is.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

#include "engine/maintain/open_sessions.h"

namespace coffre {

// Rests three times as long as it has worked, while others write. For one who has no session.
class GiveWay {
public:
    // `repository` outlives this.
    explicit GiveWay(Repository& repository) : repository_(repository) {}

    // To be called between pieces of work. Throws RepositoryError.
    void rest_if_others_write() {
        auto const worked = Clock::now() - resumed_;
        if (do_others_write()) std::this_thread::sleep_for(std::min(3 * worked, longest_rest));
        resumed_ = Clock::now();
    }

private:
    using Clock = std::chrono::steady_clock;
    static constexpr Clock::duration longest_rest = std::chrono::seconds(1);
    static constexpr Clock::duration believed = std::chrono::milliseconds(100);

    bool do_others_write() {
        if (Clock::now() - looked_ > believed) {
            if (!log_) log_ = read_gc_log(repository_.store(), repository_.keys());
            do_others_write_ = !list_sessions(repository_, *log_).open.empty();
            looked_ = Clock::now();
        }
        return do_others_write_;
    }

    Repository& repository_;
    std::optional<GcState> log_;
    Clock::time_point resumed_ = Clock::now();
    Clock::time_point looked_{};
    bool do_others_write_ = false;
};

}  // namespace coffre
