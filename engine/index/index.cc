#include "engine/index/index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "engine/crypto/hash.h"

namespace coffre {

namespace {

// Address space only: the file grows as it is written. Enough for 100 TiB of 64 KiB chunks.
constexpr std::size_t map_size = std::size_t{256} << 30U;
constexpr std::size_t check_size = 8;
// Each row may dirty a page of its own, which LMDB keeps in memory until the commit.
constexpr std::size_t rows_per_transaction = 16 * std::size_t{1024};
constexpr std::size_t pack_row_head = PackId::size + SessionId::size + 8;

// value | XXH3-64(table, key, value)
Bytes with_check(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed) {
    Writer all;
    all.u8(table);
    all.raw(key);
    all.raw(value);
    Writer out;
    out.raw(value);
    out.u64(xxh3_keyed(all.view(), seed));
    return out.take();
}

// The value, or nothing when its check does not fit.
std::optional<ByteView> checked(std::uint8_t table, ByteView key, ByteView stored,
                                std::uint64_t seed) {
    if (stored.size() < check_size) return std::nullopt;
    ByteView const value = stored.first(stored.size() - check_size);
    Bytes const expected = with_check(table, key, value, seed);
    if (!std::equal(stored.begin(), stored.end(), expected.begin(), expected.end())) {
        return std::nullopt;
    }
    return value;
}

enum Table : std::uint8_t { chunks_table = 1, packs_table, numbers_table, bundles_table };

Bytes number_key(PackNumber number) {
    Writer out;
    for (unsigned shift = 32; shift > 0;) out.u8(static_cast<std::uint8_t>(number >> (shift -= 8)));
    return out.take();  // big-endian, so that keys ascend
}

PackNumber number_of_key(ByteView key) {
    PackNumber number = 0;
    for (std::byte const b : key) number = number << 8U | std::to_integer<PackNumber>(b);
    return number;
}

Bytes place_value(ChunkPlace const& place) {
    Writer out;
    out.u32(place.pack);
    out.u32(place.block);
    return out.take();
}

MDB_dbi open_table(MDB_txn* transaction, char const* name, unsigned flags) {
    MDB_dbi table = 0;
    lmdb_checked(::mdb_dbi_open(transaction, name, flags | MDB_CREATE, &table), "open table");
    return table;
}

IndexedPack read_pack_row(ByteView row) {
    Reader in(row, "index row");
    IndexedPack pack;
    pack.id = in.id<PackId>();
    pack.session = in.id<SessionId>();
    pack.size = in.u64();
    return pack;
}

}  // namespace

Index::Index(std::string const& path, std::uint64_t seed) : seed_(seed) {
    MDB_env* environment = nullptr;
    lmdb_checked(::mdb_env_create(&environment), "create");
    environment_.reset(environment);
    lmdb_checked(::mdb_env_set_maxdbs(environment, 4), "set tables");
    lmdb_checked(::mdb_env_set_mapsize(environment, map_size), "set size");
    lmdb_checked(::mdb_env_open(environment, path.c_str(), MDB_NOTLS | MDB_NOMETASYNC, 0600),
                 "open");
    require_whole_file();
    auto transaction = begin_transaction(environment, 0);
    tables_.chunks = open_table(transaction.get(), "chunks", MDB_DUPSORT | MDB_DUPFIXED);
    tables_.packs = open_table(transaction.get(), "packs", 0);
    tables_.numbers = open_table(transaction.get(), "numbers", 0);
    tables_.bundles = open_table(transaction.get(), "bundles", 0);
    commit(std::move(transaction));
}

// A file cut short would end the process at the first touch beyond its end.
void Index::require_whole_file() const {
    mdb_filehandle_t file = -1;
    lmdb_checked(::mdb_env_get_fd(environment_.get(), &file), "look at");
    MDB_envinfo info{};
    MDB_stat statistics{};
    lmdb_checked(::mdb_env_info(environment_.get(), &info), "look at");
    lmdb_checked(::mdb_env_stat(environment_.get(), &statistics), "look at");
    struct stat status {};
    bool const known = ::fstat(file, &status) == 0;
    auto const needed = (static_cast<std::uint64_t>(info.me_last_pgno) + 1) * statistics.ms_psize;
    if (!known || static_cast<std::uint64_t>(status.st_size) < needed) {
        throw IndexDamaged("index: the file is cut off");
    }
}

void Index::erase(std::string const& path) {
    ::unlink((path + "/data.mdb").c_str());
    ::unlink((path + "/lock.mdb").c_str());
}

std::set<BundleId> Index::bundles() const {
    std::set<BundleId> found;
    auto const transaction = begin_transaction(environment_.get(), MDB_RDONLY);
    MDB_cursor* raw_cursor = nullptr;
    lmdb_checked(::mdb_cursor_open(transaction.get(), tables_.bundles, &raw_cursor), "read");
    LmdbCursor const cursor(raw_cursor);
    MDB_val key{};
    MDB_val value{};
    int code = 0;
    while ((code = ::mdb_cursor_get(raw_cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        if (key.mv_size != BundleId::size ||
            !checked(bundles_table, lmdb_view(key), lmdb_view(value), seed_)) {
            throw IndexDamaged("index: a bundle's row is not this repository's");
        }
        found.insert(BundleId::from(lmdb_view(key)));
    }
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
    return found;
}

PackNumber Index::add_pack(MDB_txn* transaction, BundleRow const& row) {
    MDB_val const id_key = lmdb_value(row.pack.bytes);
    MDB_val found{};
    MDB_val key = id_key;
    int const code = ::mdb_get(transaction, tables_.numbers, &key, &found);
    if (code == MDB_SUCCESS) {
        auto const value = checked(numbers_table, row.pack.bytes, lmdb_view(found), seed_);
        if (!value || value->size() != 4) throw IndexDamaged("index: a pack's number is damaged");
        return number_of_key(*value);
    }
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
    MDB_stat statistics{};
    lmdb_checked(::mdb_stat(transaction, tables_.packs, &statistics), "count packs");
    auto const number = static_cast<PackNumber>(statistics.ms_entries);
    Bytes const packed = number_key(number);
    Bytes number_value = with_check(numbers_table, row.pack.bytes, packed, seed_);
    MDB_val value = lmdb_value(number_value);
    lmdb_checked(::mdb_put(transaction, tables_.numbers, &key, &value, 0), "write");
    Writer out;
    out.id(row.pack);
    out.id(row.session);
    out.u64(row.pack_size);
    out.raw(row.directory);
    Bytes const pack_value = with_check(packs_table, packed, out.view(), seed_);
    MDB_val number_slot = lmdb_value(packed);
    value = lmdb_value(pack_value);
    lmdb_checked(::mdb_put(transaction, tables_.packs, &number_slot, &value, 0), "write");
    return number;
}

Index::Places Index::add_packs(Bundle const& bundle) {
    Places places;
    auto transaction = begin_transaction(environment_.get(), 0);
    for (auto const& row : bundle) {
        PackNumber const pack = add_pack(transaction.get(), row);
        auto const directory = decode_pack_directory(row.directory);
        for (std::uint32_t block = 0; block < directory.blocks.size(); ++block) {
            for (auto const& chunk : directory.blocks[block].chunks) {
                places.push_back({chunk.id, {pack, block}});
            }
        }
    }
    commit(std::move(transaction));
    // In order of keys, neighbours share pages.
    std::sort(places.begin(), places.end(),
              [](auto const& a, auto const& b) { return a.first < b.first; });
    return places;
}

void Index::add_places(std::span<Places::value_type const> places) {
    auto transaction = begin_transaction(environment_.get(), 0);
    for (auto const& [chunk, place] : places) {
        MDB_val key = lmdb_value(chunk.bytes);
        Bytes const row = with_check(chunks_table, chunk.bytes, place_value(place), seed_);
        MDB_val value = lmdb_value(row);
        int const code = ::mdb_put(transaction.get(), tables_.chunks, &key, &value, MDB_NODUPDATA);
        if (code != MDB_KEYEXIST) lmdb_checked(code, "write");
    }
    commit(std::move(transaction));
}

void Index::add(BundleId const& id, Bundle const& bundle) {
    Places const places = add_packs(bundle);
    for (std::span<Places::value_type const> rest(places); !rest.empty();) {
        std::size_t const count = std::min(rows_per_transaction, rest.size());
        add_places(rest.first(count));
        rest = rest.subspan(count);
    }
    auto transaction = begin_transaction(environment_.get(), 0);
    Bytes const mark = with_check(bundles_table, id.bytes, {}, seed_);
    MDB_val key = lmdb_value(id.bytes);
    MDB_val value = lmdb_value(mark);
    lmdb_checked(::mdb_put(transaction.get(), tables_.bundles, &key, &value, 0), "write");
    commit(std::move(transaction));
}

std::optional<ChunkPlace> Index::View::find(ChunkId const& id,
                                            std::function<bool(PackNumber)> const& usable) const {
    Moment const moment(*this);
    MDB_cursor* raw_cursor = nullptr;
    lmdb_checked(::mdb_cursor_open(transaction_.get(), index_->tables_.chunks, &raw_cursor),
                 "read");
    LmdbCursor const cursor(raw_cursor);
    MDB_val key = lmdb_value(id.bytes);
    MDB_val value{};
    int code = ::mdb_cursor_get(raw_cursor, &key, &value, MDB_SET_KEY);
    for (; code == MDB_SUCCESS; code = ::mdb_cursor_get(raw_cursor, &key, &value, MDB_NEXT_DUP)) {
        auto const place = checked(chunks_table, id.bytes, lmdb_view(value), index_->seed_);
        if (!place || place->size() != 8) throw IndexDamaged("index: a chunk's row is damaged");
        Reader in(*place, "index row");
        ChunkPlace const found{in.u32(), in.u32()};
        if (usable(found.pack)) return found;
    }
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
    return std::nullopt;
}

std::vector<ChunkPlace> Index::View::places(ChunkId const& id) const {
    std::vector<ChunkPlace> all;
    std::set<PackNumber> seen;
    while (auto const place = find(id, [&](PackNumber pack) { return !seen.contains(pack); })) {
        seen.insert(place->pack);
        all.push_back(*place);
    }
    return all;
}

ByteView Index::View::pack_row(PackNumber number) const {
    Bytes const packed = number_key(number);
    MDB_val key = lmdb_value(packed);
    MDB_val value{};
    lmdb_checked(::mdb_get(transaction_.get(), index_->tables_.packs, &key, &value), "find a pack");
    auto const row = checked(packs_table, packed, lmdb_view(value), index_->seed_);
    if (!row || row->size() < pack_row_head) throw IndexDamaged("index: a pack's row is damaged");
    return *row;
}

IndexedPack Index::View::pack(PackNumber number) const {
    Moment const moment(*this);
    return read_pack_row(pack_row(number));
}

PackDirectory Index::View::directory(PackNumber number) const {
    Moment const moment(*this);
    return decode_pack_directory(pack_row(number).subspan(pack_row_head));
}

std::optional<PackNumber> Index::View::number(PackId const& id) const {
    Moment const moment(*this);
    MDB_val key = lmdb_value(id.bytes);
    MDB_val value{};
    int const code = ::mdb_get(transaction_.get(), index_->tables_.numbers, &key, &value);
    if (code == MDB_NOTFOUND) return std::nullopt;
    lmdb_checked(code, "read");
    auto const row = checked(numbers_table, id.bytes, lmdb_view(value), index_->seed_);
    if (!row || row->size() != 4) throw IndexDamaged("index: a pack's number is damaged");
    return number_of_key(*row);
}

std::uint64_t Index::View::chunk_count() const {
    Moment const moment(*this);
    MDB_stat statistics{};
    lmdb_checked(::mdb_stat(transaction_.get(), index_->tables_.chunks, &statistics), "count");
    return statistics.ms_entries;
}

void Index::View::each_pack(
    std::function<void(PackNumber, IndexedPack const&)> const& visit) const {
    Moment const moment(*this);
    MDB_cursor* raw_cursor = nullptr;
    lmdb_checked(::mdb_cursor_open(transaction_.get(), index_->tables_.packs, &raw_cursor), "read");
    LmdbCursor const cursor(raw_cursor);
    MDB_val key{};
    MDB_val value{};
    int code = 0;
    while ((code = ::mdb_cursor_get(raw_cursor, &key, &value, MDB_NEXT)) == MDB_SUCCESS) {
        PackNumber const number = number_of_key(lmdb_view(key));
        visit(number, read_pack_row(pack_row(number)));
    }
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
}

Index::View::View(std::shared_ptr<Index const> index)
    : index_(std::move(index)),
      transaction_(begin_transaction(index_->environment_.get(), MDB_RDONLY)) {
    ::mdb_txn_reset(transaction_.get());
}

Index::View::Moment::Moment(View const& view) : view_(view) {
    if (view_.moments_ == 0) lmdb_checked(::mdb_txn_renew(view_.transaction_.get()), "begin");
    ++view_.moments_;
}

Index::View::Moment::~Moment() {
    if (--view_.moments_ == 0) ::mdb_txn_reset(view_.transaction_.get());
}

}  // namespace coffre
