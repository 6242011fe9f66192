// Reads named streams, all at once, each on a thread and in a lane of its own.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/progress.h"
#include "engine/snapshot/split.h"
#include "engine/stream.h"

namespace coffre {

struct StreamTarget {
    std::shared_ptr<PagePool> const& pool;
    std::function<void(Batch)> const& hand_on;
};

// Returns when every stream was read to its end and its source says that it is whole: the names of
// those that are empty, of the `filled` ones, which were not before. Throws
// RepositoryError{stream_failed} otherwise, or when two have one name; {failed} when there is no
// thread for one.
std::set<std::string> read_streams(std::vector<std::unique_ptr<StreamSource>> const& streams,
                                   std::set<std::string> const& filled, Chunker const& chunker,
                                   StreamTarget const& to, Progress& progress);

}  // namespace coffre
