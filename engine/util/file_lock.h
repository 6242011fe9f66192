// Lets one process of this machine after the other do something.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/util/fd.h"

namespace coffre {

// Held by nobody but the living: it ends with its process. For what is short, and harms little when
// two do it at once: who waits for a process that was halted goes on after some seconds.
class FileLock {
public:
    // Makes the file `path` if it is not there. Without a lock where there can be none.
    explicit FileLock(std::string const& path);

private:
    Fd fd_;
};

}  // namespace coffre
