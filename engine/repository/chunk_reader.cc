#include "engine/repository/chunk_reader.h"

#include <algorithm>

#include "engine/repository/names.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t cached_directories = 64 * limits::mib;
constexpr std::uint64_t held_at_once = 128 * limits::mib;
// Deltas rest on deltas: without these 64^8 blocks.
constexpr std::uint64_t decoded_for_a_chunk = 4096;
constexpr std::uint64_t bases_for_a_chunk = 256 * limits::mib;

std::size_t memory_of(PackDirectory const& directory) {
    std::size_t bytes = sizeof directory;
    for (auto const& block : directory.blocks) {
        bytes += sizeof block + block.chunks.size() * sizeof(ChunkRow) +
                 block.bases.size() * sizeof(ChunkId);
    }
    return bytes;
}

}  // namespace

ChunkRow const* find_row(BlockRow const& block, ChunkId const& id, std::size_t& hint) {
    auto const& rows = block.chunks;
    if (hint < rows.size() && rows[hint].id == id) return &rows[hint++];
    auto const found =
        std::find_if(rows.begin(), rows.end(), [&](ChunkRow const& row) { return row.id == id; });
    if (found == rows.end()) return nullptr;
    hint = static_cast<std::size_t>(found - rows.begin()) + 1;
    return &*found;
}

ChunkReader::ChunkReader(Repository& repository, std::size_t cache_bytes)
    : repository_(repository),
      index_generation_(repository.index_generation()),
      view_(repository.index_view()),
      packs_(cached_directories),
      blocks_(cache_bytes) {}

bool ChunkReader::recover() {
    // Another reader may have built it again: then this one only looks at an old one.
    if (!repository_.rebuild_index_once(index_generation_)) return false;
    take_new_view();
    return true;
}

bool ChunkReader::renew() {
    bool const has_changed = repository_.refresh_index();
    if (!has_changed && repository_.index_generation() == index_generation_) return false;
    take_new_view();
    return true;
}

void ChunkReader::take_new_view() {
    view_.reset();
    index_generation_ = repository_.index_generation();
    view_.emplace(repository_.index_view());
    // Packs have other numbers now.
    packs_.clear();
    blocks_.clear();
    damaged_.reset();
}

std::vector<ChunkPlace> ChunkReader::locate(ChunkId const& id) {
    std::vector<ChunkPlace> places;
    try {
        places = view_->places(id);
    } catch (IndexDamaged const&) {
        if (!recover()) throw;
        places = view_->places(id);
    }
    if (places.empty() && recover()) places = view_->places(id);
    if (places.empty()) throw corrupt("chunk " + id.hex() + ": is missing from the repository");
    return places;
}

std::shared_ptr<ChunkReader::KnownPack const> ChunkReader::pack(PackNumber number) {
    if (auto known = packs_.find(number)) return known;
    try {
        KnownPack pack{view_->pack(number).id, view_->directory(number)};
        std::size_t const weight = memory_of(pack.directory);
        return packs_.insert(number, std::move(pack), weight);
    } catch (FormatError const& error) {
        throw IndexDamaged(error.what());
    }
}

BlockSource ChunkReader::source(ChunkPlace const& place) {
    auto const known = pack(place.pack);
    PackDirectory const& directory = known->directory;
    if (place.block >= directory.blocks.size()) throw IndexDamaged("index: no such block");
    BlockSource source;
    source.pack = known->id;
    source.pack_name = names::pack(source.pack);
    source.kind = directory.kind;
    source.row = {known, &directory.blocks[place.block]};
    naming(source.pack_name,
           [&] { source.key = repository_.session_key(directory, source.row->key); });
    return source;
}

void ChunkReader::hold(std::uint64_t bytes) {
    if (held_ + bytes > held_at_once && !mutant("unbounded")) {
        throw corrupt("folders of this size cannot be nested this deeply");
    }
    held_ += bytes;
}

Bytes ChunkReader::read_bases(PackKind kind, BlockRow const& row) {
    Bytes prefix;
    for (auto const& base : row.bases) {
        std::size_t const size = prefix.size();
        append(prefix, read_at_depth(kind, base, row.depth));
        base_bytes_ += prefix.size() - size;
        if (base_bytes_ > bases_for_a_chunk) throw corrupt("a delta rests on too many blocks");
        if (prefix.size() > limits::block_plain_size)
            throw corrupt("a delta's bases are too large");
    }
    return prefix;
}

Bytes ChunkReader::delta_prefix(PackKind kind, BlockRow const& row) {
    decoded_ = base_bytes_ = 0;
    return read_bases(kind, row);
}

Bytes ChunkReader::decode(BlockSource const& source, ByteView stored) {
    return decode_on(source, stored, delta_prefix(source.kind, *source.row));
}

Bytes ChunkReader::decode_on(BlockSource const& source, ByteView stored, ByteView prefix) const {
    try {
        return decode_block(stored, *source.row, *source.key, repository_.id(), prefix);
    } catch (FormatError const& error) {
        repository_.note_damaged(source.pack);
        throw corrupt(source.pack_name + ": at byte " + std::to_string(source.row->offset) + ": " +
                      error.what());
    }
}

Bytes ChunkReader::decode_noting(BlockKey const& key, BlockSource const& source, ByteView stored,
                                 ByteView prefix) {
    try {
        return decode_on(source, stored, prefix);
    } catch (RepositoryError const& error) {
        damaged_ = {key, error.what()};
        throw;
    }
}

Bytes ChunkReader::fetch(BlockSource const& source) const {
    Backend& store = repository_.store();
    try {
        return store.get(source.pack_name, source.row->offset, source.row->stored_size);
    } catch (RepositoryError const& error) {
        bool const is_damaged =
            error.kind() == RepositoryFailure::corrupt && store.stat(source.pack_name);
        if (is_damaged) repository_.note_damaged(source.pack);
        throw;
    }
}

std::shared_ptr<Bytes const> ChunkReader::block(ChunkPlace const& place,
                                                BlockSource const& source) {
    BlockKey const key(place.pack, place.block);
    if (auto known = blocks_.find(key)) return known;
    if (damaged_ && damaged_->key == key) throw corrupt(damaged_->what);
    if (++decoded_ > decoded_for_a_chunk) throw corrupt("a delta rests on too many blocks");
    Bytes const stored = fetch(source);
    auto const generation = index_generation_;
    Bytes const prefix = read_bases(source.kind, *source.row);
    // Packs have other numbers once the index was built again, for a base.
    if (generation != index_generation_)
        return std::make_shared<Bytes const>(decode_on(source, stored, prefix));
    Bytes plain = decode_noting(key, source, stored, prefix);
    std::size_t const weight = plain.size();
    return blocks_.insert(key, std::move(plain), weight);
}

Bytes ChunkReader::read(PackKind kind, ChunkId const& id) {
    decoded_ = base_bytes_ = 0;
    try {
        return read_at_depth(kind, id, limits::delta_depth + 1);
    } catch (IndexDamaged const&) {
        if (!recover()) throw;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt || !renew()) throw;
    }
    return read_at_depth(kind, id, limits::delta_depth + 1);
}

Bytes ChunkReader::read_at(ChunkPlace const& place, BlockSource const& from, ChunkId const& id) {
    auto const plain = block(place, from);
    auto const* const row = find_row(*from.row, id, next_row_);
    if (row == nullptr) {
        throw IndexDamaged("index: names a block for chunk " + id.hex() + " that does not hold it");
    }
    if (std::uint64_t{row->offset} + row->size > plain->size())
        throw corrupt(from.pack_name + ": a chunk ends behind its block");
    ByteView const bytes = ByteView(*plain).subspan(row->offset, row->size);
    bool const is_it = repository_.namer().name(from.kind, bytes) == id;
    if (is_it || mutant("any-chunk")) return {bytes.begin(), bytes.end()};
    repository_.note_damaged(from.pack);
    throw corrupt(from.pack_name + ": has other bytes");
}

// A base resolves only to a copy of smaller depth than the delta's, so a chain ends.
Bytes ChunkReader::read_at_depth(PackKind kind, ChunkId const& id, unsigned depth_limit) {
    std::string failures;
    for (auto const& place : locate(id)) {
        try {
            BlockSource const from = source(place);
            if (from.row->depth >= depth_limit || from.kind != kind) continue;
            return read_at(place, from, id);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            failures += std::string("; ") + error.what();
        }
    }
    throw corrupt("chunk " + id.hex() + ": no copy can be read" + failures);
}

bool ChunkReader::is_readable(ChunkPlace const& place, ChunkId const& id) {
    decoded_ = base_bytes_ = 0;
    try {
        read_at(place, source(place), id);
        return true;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return false;
    }
}

}  // namespace coffre
