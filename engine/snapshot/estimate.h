// Counts ahead what a snapshot without a parent will read, so that its progress has an end.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <thread>

#include "engine/progress.h"
#include "engine/snapshot.h"

namespace coffre {

// Counts on a thread of its own and sets the totals of `progress` when it is done; what cannot be
// looked at counts as nothing. Stops with its destruction.
class Estimate {
public:
    // Arguments outlive this.
    Estimate(std::vector<std::string> const& paths, Exclusions const& exclude, Progress& progress);

private:
    struct Folder {
        std::string path;
        dev_t device = 0;
    };
    void count(std::stop_token const& stop, std::vector<std::string> const& paths);
    void count_folder(std::stop_token const& stop, Folder const& folder,
                      std::vector<Folder>& found);
    void add(std::string const& path, struct stat const& status, std::vector<Folder>& found);

    Exclusions const& exclude_;
    Progress& progress_;
    std::uint64_t files_ = 0;
    std::uint64_t bytes_ = 0;
    std::jthread thread_;
};

}  // namespace coffre
