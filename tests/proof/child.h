// Runs something in a child process, since it may end the process.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <string>

namespace coffre::proof {

struct ChildEnd {
    int exit_code = 0;  // when no signal ended it
    int signal = 0;
    std::string message;  // what the action returned, or the text of what it threw

    // By itself, and with nothing to complain of.
    bool well() const { return signal == 0 && exit_code == 0; }
    std::string describe() const;
};

constexpr int child_failed = 3;

// `action` returns a complaint, or nothing. No sanitizer handles the child's signals; after
// `seconds` it is ended by SIGALRM.
ChildEnd run_in_child(std::function<std::string()> const& action, unsigned seconds);

}  // namespace coffre::proof
