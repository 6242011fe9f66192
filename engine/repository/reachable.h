// Which chunks snapshots need.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <unordered_set>

#include "engine/repository/chunk_bits.h"
#include "engine/repository/chunk_reader.h"
#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

// The chunks of a pack, by id, and what each takes of the pack's bytes.
struct PackChunks {
    struct Chunk {
        ChunkId id;
        std::uint32_t ordinal = 0;  // in the order of the pack's directory
        std::uint32_t stored = 0;   // its share of its block's stored bytes
        std::uint8_t depth = 0;     // of its block
        std::uint32_t block = 0;

        bool operator<(Chunk const& other) const { return id < other.id; }
    };
    std::vector<Chunk> chunks;                            // ascending
    std::map<std::uint32_t, std::vector<ChunkId>> bases;  // of blocks that are deltas

    explicit PackChunks(PackDirectory const& directory);
    Chunk const* find(ChunkId const& id) const;
};

// What is known of packs by their numbers holds for one index: the numbers are others once it was
// built anew. To be begun again.
struct IndexRenewed : RepositoryError {
    IndexRenewed()
        : RepositoryError(RepositoryFailure::failed,
                          "a repair, or another collection, has replaced what the index was made "
                          "of; run it again") {}
};

// Returns what `action` returns, which holds numbers of packs; begins it again when they were
// renewed.
template <class Action>
std::invoke_result_t<Action> with_one_index(Repository& repository, Action const& action) {
    constexpr int attempts = 5;
    for (int attempt = 1;; ++attempt) {
        try {
            return with_sound_index(repository, action);
        } catch (IndexRenewed const&) {
            if (attempt == attempts) throw;
        }
        repository.refresh_index();
    }
}

// Of several copies of a chunk one is marked, and what it rests on if it is a delta. One thread at
// a time.
class Reachable {
public:
    // Tells which copies to prefer: lower is better; nothing: a copy there is as good as none.
    using Rank = std::function<std::optional<unsigned>(PackNumber)>;

    // `repository` outlives this; its index may grow meanwhile. When it is built anew, each of the
    // following but is_marked() and is_needed() may throw IndexRenewed.
    Reachable(Repository& repository, Rank rank);

    // Throws IndexRenewed when the numbers of packs are others by now.
    void require_same_index() const;

    // Marks all that is beneath `root`. Returns the stored bytes that were not marked before.
    // Throws RepositoryError{corrupt} naming `where` when a tree cannot be read. A chunk without a
    // copy is among missing() then.
    std::uint64_t mark(std::string const& where, Node const& root);
    // Marks what all deltas in a pack rest on, those included that nobody needs now: a snapshot to
    // come may. What cannot be found is left: then nobody can rely on that delta.
    void mark_bases(PackDirectory const& directory);

    // Told of each chunk that is marked from now on, and how many stored bytes it takes; null:
    // none.
    void on_marked(
        std::function<void(PackNumber, std::uint32_t ordinal, std::uint32_t stored)> tell) {
        on_marked_ = std::move(tell);
    }
    // Of a marked chunk: a number of its own, from 1 to how many there are in needed packs.
    std::uint64_t number_of(PackNumber pack, std::uint32_t ordinal) const {
        return marks_.number(pack, ordinal);
    }

    bool is_marked(PackNumber pack, std::uint32_t ordinal) const {
        return marks_.is_set(pack, ordinal);
    }
    // Where the chunk's marked copy is; nothing when none is marked.
    std::optional<ChunkPlace> marked_place(ChunkId const& id);
    // Has it a marked chunk?
    bool is_needed(PackNumber pack) const { return marks_.has(pack); }
    std::size_t needed_packs() const { return marks_.packs(); }
    // In order of numbers; `visit` may mark more.
    template <class Visit>
    void each_needed(Visit const& visit) const {
        marks_.each_pack(visit);
    }
    // The first of the chunks that have no copy, and where each is needed.
    std::map<ChunkId, std::string> const& missing() const { return missing_; }

private:
    struct Copy {
        unsigned rank = 0;
        unsigned depth = 0;
        PackNumber pack = 0;
        PackChunks::Chunk chunk;
    };
    bool is_better(Copy const& copy, Copy const& other);
    std::optional<Copy> choose_copy(ChunkId const& id, unsigned depth_limit);
    // With what it rests on. Nothing when there is no copy.
    std::optional<Copy> mark_chunk(ChunkId const& id, unsigned depth_limit);
    std::shared_ptr<PackChunks const> chunks_of(PackNumber pack);
    bool resolves(Copy const& copy);
    bool has_all_bases(std::vector<ChunkId> const& bases, unsigned depth);
    // False when it is set.
    bool set_bit(ChunkBits& bits, Copy const& copy);
    void mark_node(Node const& node);
    void mark_list(PackKind leaves, Content const& content);
    void mark_entry(PackKind leaves, ListEntry const& entry, std::uint8_t level);
    void note_missing(ChunkId const& id);
    void remember(ChunkId const& id);
    void read_piece(ChunkId const& id);

    Repository& repository_;
    std::uint64_t const generation_;
    Rank rank_;
    ChunkReader reader_;
    LruCache<PackNumber, PackChunks> packs_;
    ChunkBits marks_;
    ChunkBits entered_;  // recipes and pieces of which all beneath is marked, or will be
    std::map<ChunkId, std::string> missing_;
    std::vector<ChunkId> pieces_;                     // of directories, still to be read
    std::unordered_set<ChunkId, IdHash> remembered_;  // some of those that are marked
    std::map<std::pair<PackNumber, std::uint32_t>, bool> resolved_;  // deltas, by block
    std::function<void(PackNumber, std::uint32_t, std::uint32_t)> on_marked_;
    std::string where_;
    std::uint64_t newly_marked_ = 0;  // bytes
};

}  // namespace coffre
