#include "engine/repository/reachable.h"

#include <algorithm>

#include "engine/repository/tree_reader.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t chunks_cache = 16 * limits::mib;
constexpr std::size_t told_missing = 1000;
constexpr std::size_t most_remembered = 250'000;

std::uint32_t share(BlockRow const& block, ChunkRow const& chunk) {
    if (block.plain_size == 0) return 0;
    return static_cast<std::uint32_t>(std::uint64_t{block.stored_size} * chunk.size /
                                      block.plain_size);
}

}  // namespace

PackChunks::PackChunks(PackDirectory const& directory) {
    std::uint32_t ordinal = 0;
    std::uint32_t row = 0;
    for (auto const& block : directory.blocks) {
        for (auto const& chunk : block.chunks) {
            chunks.push_back({chunk.id, ordinal++, share(block, chunk), block.depth, row});
        }
        if (!block.bases.empty()) bases[row] = block.bases;
        ++row;
    }
    std::sort(chunks.begin(), chunks.end());
}

PackChunks::Chunk const* PackChunks::find(ChunkId const& id) const {
    auto const found = std::lower_bound(chunks.begin(), chunks.end(), Chunk{id, 0, 0, 0, 0});
    return found != chunks.end() && found->id == id ? &*found : nullptr;
}

Reachable::Reachable(Repository& repository, Rank rank)
    : repository_(repository),
      generation_(repository.index_generation()),
      rank_(std::move(rank)),
      reader_(repository, tree_cache),
      packs_(chunks_cache),
      marks_(repository.folder()),
      entered_(repository.folder()) {}

void Reachable::require_same_index() const {
    if (repository_.index_generation() != generation_ && !mutant("renumbered-marks"))
        throw IndexRenewed();
}

std::shared_ptr<PackChunks const> Reachable::chunks_of(PackNumber pack) {
    if (auto known = packs_.find(pack)) return known;
    PackChunks chunks(reader_.view().directory(pack));
    std::size_t const weight = chunks.chunks.size() * sizeof(PackChunks::Chunk);
    return packs_.insert(pack, std::move(chunks), weight);
}

// A delta resolves only to bases of a smaller depth than its own.
std::optional<Reachable::Copy> Reachable::choose_copy(ChunkId const& id, unsigned depth_limit) {
    std::optional<Copy> best;
    for (auto const& place : reader_.view().places(id)) {
        auto const rank = rank_(place.pack);
        if (!rank) continue;
        auto const known = chunks_of(place.pack);
        auto const* const chunk = known->find(id);
        if (chunk == nullptr) throw IndexDamaged("index: a chunk is not where it should be");
        Copy const copy{*rank, chunk->depth, place.pack, *chunk};
        bool const is_next = chunk->depth < depth_limit && (!best || is_better(copy, *best));
        if (is_next && resolves(copy)) best = copy;
    }
    return best;
}

// Of equal ones that in a collector's pack: what a collection has moved before it was killed is not
// to be moved again.
bool Reachable::is_better(Copy const& copy, Copy const& other) {
    if (std::tie(copy.rank, copy.depth) != std::tie(other.rank, other.depth))
        return std::tie(copy.rank, copy.depth) < std::tie(other.rank, other.depth);
    auto const is_writers = [this](PackNumber pack) {
        return !reader_.view().pack(pack).session.is_zero();
    };
    return std::pair(is_writers(copy.pack), copy.pack) <
           std::pair(is_writers(other.pack), other.pack);
}

// A chain of deltas ends, since each rests on a smaller depth.
bool Reachable::resolves(Copy const& copy) {
    auto const known = chunks_of(copy.pack);
    auto const bases = known->bases.find(copy.chunk.block);
    if (bases == known->bases.end()) return true;
    // Asked once for each block: of deltas that rest on deltas there are more ways than blocks.
    std::pair const block(copy.pack, copy.chunk.block);
    if (auto const found = resolved_.find(block); found != resolved_.end()) return found->second;
    return resolved_[block] = has_all_bases(bases->second, copy.depth);
}

bool Reachable::has_all_bases(std::vector<ChunkId> const& bases, unsigned depth) {
    return std::all_of(bases.begin(), bases.end(),
                       [&](ChunkId const& base) { return choose_copy(base, depth).has_value(); });
}

std::optional<ChunkPlace> Reachable::marked_place(ChunkId const& id) {
    require_same_index();
    for (auto const& place : reader_.view().places(id)) {
        auto const* const chunk = chunks_of(place.pack)->find(id);
        if (chunk != nullptr && is_marked(place.pack, chunk->ordinal)) return place;
    }
    return std::nullopt;
}

bool Reachable::set_bit(ChunkBits& bits, Copy const& copy) {
    if (!bits.has(copy.pack)) bits.add(copy.pack, chunks_of(copy.pack)->chunks.size());
    return bits.set(copy.pack, copy.chunk.ordinal);
}

std::optional<Reachable::Copy> Reachable::mark_chunk(ChunkId const& id, unsigned depth_limit) {
    auto const copy = choose_copy(id, depth_limit);
    if (!copy || !set_bit(marks_, *copy)) return copy;
    newly_marked_ += copy->chunk.stored;
    if (on_marked_) on_marked_(copy->pack, copy->chunk.ordinal, copy->chunk.stored);
    auto const known = chunks_of(copy->pack);
    auto const bases = known->bases.find(copy->chunk.block);
    if (bases == known->bases.end()) return copy;
    for (auto const& base : bases->second) mark_chunk(base, copy->depth);
    return copy;
}

void Reachable::mark_bases(PackDirectory const& directory) {
    for (auto const& block : directory.blocks) {
        for (auto const& base : block.bases) mark_chunk(base, block.depth);
    }
}

std::uint64_t Reachable::mark(std::string const& where, Node const& root) {
    where_ = where;
    newly_marked_ = 0;
    try {
        mark_node(root);
        while (!pieces_.empty()) {
            ChunkId const piece = pieces_.back();
            pieces_.pop_back();
            read_piece(piece);
        }
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        throw corrupt(where + ": " + error.what());
    } catch (FormatError const& error) {
        throw corrupt(where + ": " + error.what());
    }
    return newly_marked_;
}

void Reachable::mark_node(Node const& node) {
    if (node.is_file()) mark_list(PackKind::data, node.content);
    if (node.is_directory()) mark_list(PackKind::meta, node.content);
}

void Reachable::mark_list(PackKind leaves, Content const& content) {
    for (auto const& entry : content.entries) mark_entry(leaves, entry, content.level);
}

void Reachable::note_missing(ChunkId const& id) {
    if (missing_.size() < told_missing) missing_.emplace(id, where_);
}

// Forgetting them costs look-ups, keeping all of them more memory than marks take.
void Reachable::remember(ChunkId const& id) {
    if (remembered_.size() >= most_remembered) remembered_.clear();
    remembered_.insert(id);
}

// What is beneath an entered recipe or piece has been marked with it. To be marked is not enough:
// what a delta rests on is, and nobody looked beneath it.
void Reachable::mark_entry(PackKind leaves, ListEntry const& entry, std::uint8_t level) {
    if (remembered_.contains(entry.id)) return;
    bool const is_tree = level > 0 || leaves == PackKind::meta;
    auto const copy = mark_chunk(entry.id, limits::delta_depth + 1);
    if (!copy && !is_tree) return note_missing(entry.id);
    if (!copy) {
        throw corrupt("chunk " + entry.id.hex() + " of its trees has no copy");
    }
    remember(entry.id);
    if (!is_tree || !set_bit(entered_, *copy)) return;
    if (level == 0) return pieces_.push_back(entry.id);
    auto const below = static_cast<std::uint8_t>(level - 1);
    auto const recipe = read_recipe(reader_, entry.id, below);
    require_same_index();
    mark_list(leaves, recipe);
}

void Reachable::read_piece(ChunkId const& id) {
    Bytes const piece = reader_.read(PackKind::meta, id);
    require_same_index();
    for (auto const& node : decode_tree_piece(piece)) mark_node(node);
}

}  // namespace coffre
