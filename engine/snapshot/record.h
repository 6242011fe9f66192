// The serial heart of a snapshot: drops chunks that are known, groups the others into blocks, and
// builds the tree.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <set>

#include "engine/repository/block_builder.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/repository.h"
#include "engine/snapshot/batch.h"
#include "engine/snapshot/census.h"
#include "engine/snapshot/claimed.h"
#include "engine/snapshot/directory_builder.h"
#include "engine/snapshot/read_inodes.h"
#include "format/snapshot.h"

namespace coffre {

// Which packs of the index this run may rely on, and which it did.
class ReusablePacks {
public:
    // All outlive this.
    ReusablePacks(Repository& repository, Index::View const& view, GcState const& log)
        : repository_(repository), view_(view), log_(log) {}

    bool is_usable(PackNumber pack);
    void mark_reused(PackNumber pack);
    Census const& reused() const { return reused_; }

private:
    Repository& repository_;
    Index::View const& view_;
    GcState const& log_;
    std::map<PackNumber, bool> usable_;
    std::set<PackNumber> marked_;
    Census reused_;
};

// Used by one thread.
class Recorder {
public:
    // `hand_on` gets blocks of new chunks. All arguments outlive this.
    Recorder(Repository& repository, GcState const& log, ClaimedChunks& claimed,
             std::function<void(Block)> const& hand_on);

    void add(Batch const& batch);
    // Hands on what is left. The tree must be complete.
    void finish();

    // True when the chunk is stored already, or will be by this run.
    bool is_known(ChunkId const& id);

    // After finish():
    Node const& root() const { return root_; }
    Statistics const& statistics() const { return statistics_; }
    Census const& reused_packs() const { return packs_.reused(); }

private:
    struct OpenFile {
        Node node;
        bool is_new = true;
        ListBuilder chunks;
        FileHasher hasher;
        std::uint64_t size = 0;
    };
    void on(EnterDirectory const& event);
    void on(LeaveDirectory const& event);
    void on(AddNode const& event);
    void on(AddLink const& event);
    void on(BeginFile const& event);
    void on(EndFile const& event);
    void on_chunk(FileChunk const& chunk, ByteView bytes);
    void add_entry(Node const& node);
    void add_streams_before(std::string const& name);
    void require_no_stream(std::string const& name) const;
    void count(Node const& node);
    void store(PackKind kind, ChunkId const& id, ByteView bytes);

    Repository& repository_;
    Index::View view_;
    ReusablePacks packs_;
    ClaimedChunks& claimed_;
    StoreMeta store_meta_;
    std::map<PackKind, BlockBuilder> blocks_;
    std::map<std::size_t, OpenFile> files_;      // by lane
    std::map<InodeKey, Node> remembered_;        // files whose other names may follow
    std::map<std::string, Node> stream_nodes_;   // complete, waiting for their place at the root
    std::vector<DirectoryBuilder> directories_;  // from the root down
    Node root_;
    Statistics statistics_;
};

}  // namespace coffre
