// Files that may hold pages that the kernel has not written yet.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <set>

#include "engine/util/fd.h"

namespace coffre {

// At the first write through a mapping (mmap) the kernel sets a file's times, and not again before
// it has written the page: docs/architecture.md, "Change detection".
class UnwrittenPages {
public:
    // Writes the pages of a file that changed lately, of many such files all of the file system.
    // What is written through a mapping after this changes the file's times again.
    void write(Fd const& file, struct stat const& status);

private:
    unsigned files_ = 0;      // written one by one
    std::set<dev_t> synced_;  // file systems, as a whole
};

}  // namespace coffre
