// Fills the index: at a machine's first look at a repository with all that is in it.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/index/index.h"
#include "engine/util/sorted_runs.h"

namespace coffre {

// Takes in many bundles at once: their rows are sorted first, so that the database is written from
// its begin to its end. A bundle counts as known once all rows are there, also when this is cut
// short. Its members throw IndexDamaged, and SourceError when the sorting finds no room.
class Index::Load {
public:
    // `index` outlives this.
    explicit Load(Index& index);
    Load(Load const&) = delete;
    Load& operator=(Load const&) = delete;
    ~Load();

    // Throws FormatError when a directory cannot be read: then nothing of the bundle is taken in.
    void add(BundleId const& id, Bundle const& bundle);
    void finish();

private:
    struct Row;
    class Appender;
    PackNumber add_pack(MDB_txn* transaction, BundleRow const& row);
    void write_rows();

    Index& index_;
    std::unique_ptr<SortedRuns<Row>> rows_;
    std::vector<BundleId> added_;
};

}  // namespace coffre
