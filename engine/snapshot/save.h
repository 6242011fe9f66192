// From events to packs and a tree: what every snapshot passes, wherever its files come from.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <set>

#include "engine/repository/gc_state.h"
#include "engine/snapshot/batch.h"
#include "engine/snapshot/publish.h"
#include "format/snapshot.h"

namespace coffre {

struct SaveOptions {
    SessionId session;
    int compression_level = 1;
    unsigned threads = 0;
    bool dry_run = false;
};

struct Saved {
    Node root;
    Statistics statistics;
    Census reused;  // packs that the tree relies on, besides new ones
};

// Calls the function with each batch, in the order of the tree. May have threads of its own, if it
// waits for them.
using Produce =
    std::function<void(std::shared_ptr<PagePool> const&, std::function<void(Batch)> const&)>;

// Stores what the events of `produce` hold and the repository does not: in packs that `log` lets a
// writer rely on, or that this run makes known through `publisher`. What was stored is made known
// also when this throws, so that the next run goes on.
class Saving {
public:
    // All arguments outlive this.
    Saving(Repository& repository, GcState const& log, ClaimedChunks& claimed, Publisher& publisher)
        : repository_(repository), log_(log), claimed_(claimed), publisher_(publisher) {}

    Saved save(SaveOptions const& options, Produce const& produce);

private:
    Saved run(SaveOptions const& options, Produce const& produce);
    BundleRow store(SaveOptions const& options, OpenPack pack) const;

    Repository& repository_;
    GcState const& log_;
    ClaimedChunks& claimed_;
    Publisher& publisher_;
};

}  // namespace coffre
