// Which process this is, so that another one can tell whether it still lives.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace coffre {

struct ProcessIdentity {
    std::string boot_id;  // of the kernel: differs after a restart; empty: not known
    std::uint64_t pid_namespace = 0;
    std::uint64_t pid = 0;
    std::uint64_t start = 0;  // clock ticks since boot

    bool operator==(ProcessIdentity const&) const = default;
};

// Without /proc, what it would tell is empty or 0.
ProcessIdentity this_process();

// True only when this kernel and namespace show that the process has ended: false for one of
// another machine, of which nothing is known, and for one of which nothing can be read.
bool has_ended(ProcessIdentity const& process);

}  // namespace coffre
