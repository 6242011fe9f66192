// Looks at every file below some paths, and picks pieces of them at random.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <limits>
#include <queue>

#include "engine/bench.h"

namespace coffre {

struct Piece {
    std::uint64_t rank = 0;  // drawn from its name: the same files give the same sample
    std::string path;
    std::uint64_t offset = 0;
    std::uint32_t size = 0;

    bool operator<(Piece const& other) const { return rank < other.rank; }
};

// Keeps the pieces of the lowest ranks.
class PieceSampler {
public:
    explicit PieceSampler(std::uint64_t sample_bytes) : bound_(sample_bytes) {}

    // The `size` bytes of the file from `begin` on.
    void offer(std::string const& path, std::uint64_t size, std::uint64_t begin = 0);
    bool has_left_out() const { return lowest_left_out_ != none; }
    // By path and offset. Leaves the sampler empty.
    std::vector<Piece> take();

private:
    static constexpr std::uint64_t none = std::numeric_limits<std::uint64_t>::max();

    void add(Piece piece);

    std::uint64_t bound_;
    std::uint64_t bytes_ = 0;
    std::uint64_t lowest_left_out_ = none;  // rank
    std::priority_queue<Piece> pieces_;
};

// Of the paths, and of what lies beneath them and is not excluded. Links are not followed. Throws
// SourceError when a path is not there; what cannot be listed is reported to `progress` and left
// out.
PathsFound survey_paths(std::vector<std::string> const& paths, PatternList const& exclude,
                        PieceSampler& sampler, Progress& progress);

}  // namespace coffre
