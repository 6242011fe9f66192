// How many threads a parallel stage gets.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <thread>

namespace coffre {

// `wanted`, or one for each processor when that is 0.
inline unsigned worker_count(unsigned wanted) {
    return wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
}

}  // namespace coffre
