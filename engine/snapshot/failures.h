// What a snapshot could not save whole, for its list, which the format bounds.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "format/snapshot.h"

namespace coffre {

class Failures {
public:
    // `progress` outlives this.
    explicit Failures(Progress const& progress) : progress_(progress) {}

    // Tells of it, too.
    void add(std::string const& path, std::string const& message);
    // The first ones, each text cut to its end when it is long.
    std::vector<SourceFailure> const& list() const { return list_; }
    std::uint64_t count() const { return count_; }

private:
    Progress const& progress_;
    std::vector<SourceFailure> list_;
    std::uint64_t count_ = 0;
};

}  // namespace coffre
