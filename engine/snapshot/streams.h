// Reads named streams, all at once, each on a thread and in a lane of its own.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/progress.h"
#include "engine/snapshot/split.h"
#include "engine/stream.h"

namespace coffre {

// Returns when every stream was read to its end and its source says that it is whole.
// Throws RepositoryError{stream_failed} otherwise, or when two have one name; {failed} when there
// is no thread for one.
void read_streams(std::vector<std::unique_ptr<StreamSource>> const& streams, Chunker const& chunker,
                  std::shared_ptr<PagePool> const& pool, std::function<void(Batch)> const& hand_on,
                  Progress& progress);

}  // namespace coffre
