#include "engine/index/index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "engine/crypto/hash.h"
#include "engine/index/page_check.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// Address space only: the file grows as it is written. Enough for 100 TiB of 64 KiB chunks.
constexpr std::size_t map_size = std::size_t{256} << 30U;
constexpr std::size_t check_size = 8;
// LMDB keeps the pages that a transaction writes in memory until its end: of rows in order each
// page is filled, any other row may need a page of its own.
constexpr std::size_t dirty_bound = 256 * std::size_t{1024};
constexpr std::size_t rows_per_page = 16;
constexpr std::size_t rows_in_memory = 1024 * std::size_t{1024};  // 40 bytes each
constexpr std::size_t pack_row_size = PackId::size + SessionId::size + 8;
constexpr unsigned table_count = 5;

// XXH3-64(table, key, value)
std::uint64_t check_of(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed) {
    // A chunk's row is looked up millions of times: it needs no memory.
    std::array<std::byte, 64> small;
    Bytes large;
    std::size_t const size = 1 + key.size() + value.size();
    if (size > small.size()) large.resize(size);
    auto const all = size > small.size() ? std::span(large) : std::span(small).first(size);
    all[0] = std::byte{table};
    std::copy(key.begin(), key.end(), all.begin() + 1);
    std::copy(value.begin(), value.end(),
              all.begin() + 1 + static_cast<std::ptrdiff_t>(key.size()));
    return xxh3_keyed(all, seed);
}

// value | check
Bytes with_check(std::uint8_t table, ByteView key, ByteView value, std::uint64_t seed) {
    Writer out;
    out.raw(value);
    out.u64(check_of(table, key, value, seed));
    return out.take();
}

// The value, or nothing when its check does not fit.
std::optional<Bytes> checked(std::uint8_t table, ByteView key, Bytes stored, std::uint64_t seed) {
    if (stored.size() < check_size) return std::nullopt;
    std::size_t const size = stored.size() - check_size;
    Reader check(ByteView(stored).subspan(size), "check of an index row");
    bool const fits = check.u64() == check_of(table, key, ByteView(stored).first(size), seed);
    if (!fits && !mutant("any-index-value")) return std::nullopt;
    stored.resize(size);
    return stored;
}

enum Table : std::uint8_t {
    chunks_table = 1,
    packs_table,
    numbers_table,
    bundles_table,
    directories_table
};

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

// Nothing when there is no such table yet.
std::optional<MDB_dbi> open_table(MDB_txn* transaction, char const* name, unsigned flags) {
    MDB_dbi table = 0;
    int const code = lmdb_call([&] { return ::mdb_dbi_open(transaction, name, flags, &table); });
    if (code == MDB_NOTFOUND) return std::nullopt;
    lmdb_checked(code, "open a table");
    return table;
}

std::uint64_t entries_of(MDB_txn* transaction, MDB_dbi table) {
    MDB_stat statistics{};
    lmdb_checked(lmdb_call([&] { return ::mdb_stat(transaction, table, &statistics); }), "count");
    return statistics.ms_entries;
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

Index::Index(std::string const& path, std::uint64_t seed) : path_(path), seed_(seed) {
    MDB_env* environment = nullptr;
    lmdb_checked(::mdb_env_create(&environment), "create");
    environment_.reset(environment);
    guard(environment);
    lmdb_checked(::mdb_env_set_maxdbs(environment, table_count), "set tables");
    lmdb_checked(::mdb_env_set_mapsize(environment, map_size), "set size");
    lmdb_checked(lmdb_call([&] {
                     return ::mdb_env_open(environment, path.c_str(), MDB_NOTLS | MDB_NOMETASYNC,
                                           0600);
                 }),
                 "open");
    require_whole_file();
    if (open_tables(MDB_RDONLY)) return;
    if (!open_tables(0)) throw IndexDamaged("index: its tables cannot be made");
}

// False when there are none yet, and they may not be made.
bool Index::open_tables(unsigned transaction_flags) {
    bool const may_make = transaction_flags != MDB_RDONLY;
    auto transaction =
        may_make ? begin_writing() : begin_transaction(environment_.get(), MDB_RDONLY);
    unsigned const make = may_make ? MDB_CREATE : 0;
    auto const open = [&](MDB_dbi& table, char const* name, unsigned flags) {
        auto const opened = open_table(transaction.get(), name, flags | make);
        table = opened.value_or(0);
        return opened.has_value();
    };
    bool const all = open(tables_.chunks, "chunks", MDB_DUPSORT | MDB_DUPFIXED) &&
                     open(tables_.packs, "packs", 0) &&
                     open(tables_.directories, "directories", 0) &&
                     open(tables_.numbers, "numbers", 0) && open(tables_.bundles, "bundles", 0);
    if (all) commit(std::move(transaction));
    return all;
}

// Reading from damaged pages is survived, writing to them may hit anything: they are looked at
// once.
LmdbTransaction Index::begin_writing() {
    auto transaction = begin_transaction(environment_.get(), 0);
    if (!pages_were_checked_) {
        mdb_filehandle_t file = -1;
        lmdb_checked(::mdb_env_get_fd(environment_.get(), &file), "look at");
        // Another process may write meanwhile, but not within this transaction.
        if (!pages_are_whole(file)) throw IndexDamaged("index: its pages are damaged");
        pages_were_checked_ = true;
    }
    return transaction;
}

// A file cut short would end the process at the first touch beyond its end.
void Index::require_whole_file() const {
    mdb_filehandle_t file = -1;
    lmdb_checked(::mdb_env_get_fd(environment_.get(), &file), "look at");
    MDB_envinfo info{};
    MDB_stat statistics{};
    lmdb_checked(::mdb_env_info(environment_.get(), &info), "look at");
    lmdb_checked(lmdb_call([&] { return ::mdb_env_stat(environment_.get(), &statistics); }),
                 "look at");
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
    auto const cursor = open_cursor(transaction.get(), tables_.bundles);
    MDB_val key{};
    MDB_val value{};
    while (lmdb_move(cursor, MDB_NEXT, key, value)) {
        Bytes const id = lmdb_copy(key);
        bool const is_ours = id.size() == BundleId::size &&
                             checked(bundles_table, id, lmdb_copy(value), seed_).has_value();
        // On damaged pages the walk could go round in circles.
        if (!is_ours || !found.insert(BundleId::from(id)).second) {
            throw IndexDamaged("index: a bundle's row is not this repository's");
        }
    }
    return found;
}

PackNumber Index::add_pack(MDB_txn* transaction, BundleRow const& row) {
    MDB_val const key = lmdb_value(row.pack.bytes);
    MDB_val found{};
    if (lmdb_get(transaction, tables_.numbers, key, found)) {
        auto const value = checked(numbers_table, row.pack.bytes, lmdb_copy(found), seed_);
        if (!value || value->size() != 4) throw IndexDamaged("index: a pack's number is damaged");
        return number_of_key(*value);
    }
    auto const number = static_cast<PackNumber>(entries_of(transaction, tables_.packs));
    Bytes const packed = number_key(number);
    Bytes const number_value = with_check(numbers_table, row.pack.bytes, packed, seed_);
    lmdb_put(transaction, tables_.numbers, key, lmdb_value(number_value));
    Writer out;
    out.id(row.pack);
    out.id(row.session);
    out.u64(row.pack_size);
    Bytes const pack_value = with_check(packs_table, packed, out.view(), seed_);
    lmdb_put(transaction, tables_.packs, lmdb_value(packed), lmdb_value(pack_value));
    Bytes const directory = with_check(directories_table, packed, row.directory, seed_);
    lmdb_put(transaction, tables_.directories, lmdb_value(packed), lmdb_value(directory));
    return number;
}

void Index::add(BundleId const& id, Bundle const& bundle) {
    Load load(*this);
    load.add(id, bundle);
    load.finish();
}

struct Index::Load::Row {
    ChunkId id;
    ChunkPlace place;

    bool operator<(Row const& other) const {
        return std::tie(id, place.pack, place.block) <
               std::tie(other.id, other.place.pack, other.place.block);
    }
};

// Writes rows that come in ascending order. Behind the last row there is, LMDB need not look for
// their place, and fills its pages.
class Index::Load::Appender {
public:
    explicit Appender(Index& index) : index_(index) { begin(); }

    void add(Row const& row) {
        bool const is_behind = !last_ || *last_ < row.id;
        if (is_behind) last_ = row.id;
        put(row, is_behind ? MDB_APPEND : MDB_NODUPDATA);
        dirty_ += is_behind ? 1 : rows_per_page;
        if (dirty_ < dirty_bound) return;
        commit(std::move(transaction_));
        begin();
    }
    void finish() { commit(std::move(transaction_)); }

private:
    // Others may have written since the last transaction.
    void begin() {
        transaction_ = index_.begin_writing();
        dirty_ = 0;
        auto const cursor = open_cursor(transaction_.get(), index_.tables_.chunks);
        MDB_val key{};
        MDB_val value{};
        if (!lmdb_move(cursor, MDB_LAST, key, value)) return;
        Bytes const last = lmdb_copy(key);
        if (last.size() != ChunkId::size) throw IndexDamaged("index: a chunk's row is damaged");
        last_ = ChunkId::from(last);
    }
    void put(Row const& row, unsigned flags) {
        MDB_val key = lmdb_value(row.id.bytes);
        Bytes const place =
            with_check(chunks_table, row.id.bytes, place_value(row.place), index_.seed_);
        MDB_val value = lmdb_value(place);
        int const code = lmdb_call([&] {
            return ::mdb_put(transaction_.get(), index_.tables_.chunks, &key, &value, flags);
        });
        bool const is_there = code == MDB_KEYEXIST && flags == MDB_NODUPDATA;
        if (!is_there) lmdb_checked(code, "write");
    }

    Index& index_;
    LmdbTransaction transaction_;
    std::size_t dirty_ = 0;  // rows that the pages to be written could hold
    std::optional<ChunkId> last_;
};

Index::Load::Load(Index& index)
    : index_(index), rows_(std::make_unique<SortedRuns<Row>>(index.path_, rows_in_memory)) {}

Index::Load::~Load() = default;

void Index::Load::add(BundleId const& id, Bundle const& bundle) {
    std::vector<Row> rows;
    auto transaction = index_.begin_writing();
    for (auto const& row : bundle) {
        PackNumber const pack = index_.add_pack(transaction.get(), row);
        auto const directory = decode_pack_directory(row.directory);
        for (std::uint32_t block = 0; block < directory.blocks.size(); ++block) {
            for (auto const& chunk : directory.blocks[block].chunks) {
                rows.push_back({chunk.id, {pack, block}});
            }
        }
    }
    commit(std::move(transaction));
    for (auto const& row : rows) rows_->add(row);
    added_.push_back(id);
}

void Index::Load::write_rows() {
    Appender appender(index_);
    rows_->each([&](Row const& row) { appender.add(row); });
    appender.finish();
}

void Index::Load::finish() {
    if (added_.empty()) return;
    write_rows();
    auto transaction = index_.begin_writing();
    for (auto const& id : added_) {
        Bytes const mark = with_check(bundles_table, id.bytes, {}, index_.seed_);
        lmdb_put(transaction.get(), index_.tables_.bundles, lmdb_value(id.bytes), lmdb_value(mark));
    }
    commit(std::move(transaction));
}

std::optional<ChunkPlace> Index::View::find(ChunkId const& id,
                                            std::function<bool(PackNumber)> const& usable) const {
    Moment const moment(*this);
    auto const cursor = open_cursor(transaction_.get(), index_->tables_.chunks);
    MDB_val key = lmdb_value(id.bytes);
    MDB_val value{};
    // More places than rows are a walk in circles.
    std::uint64_t left = entries_of(transaction_.get(), index_->tables_.chunks);
    for (auto to = MDB_SET_KEY; lmdb_move(cursor, to, key, value); to = MDB_NEXT_DUP) {
        auto const place = checked(chunks_table, id.bytes, lmdb_copy(value), index_->seed_);
        if (!place || place->size() != 8 || left-- == 0) {
            throw IndexDamaged("index: a chunk's row is damaged");
        }
        Reader in(*place, "index row");
        ChunkPlace const found{in.u32(), in.u32()};
        if (usable(found.pack)) return found;
    }
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

Bytes Index::View::pack_row(std::uint8_t table, PackNumber number) const {
    Moment const moment(*this);
    Tables const& tables = index_->tables_;
    Bytes const packed = number_key(number);
    MDB_val value{};
    MDB_dbi const handle = table == packs_table ? tables.packs : tables.directories;
    if (!lmdb_get(transaction_.get(), handle, lmdb_value(packed), value)) {
        throw IndexDamaged("index: a pack is missing");
    }
    auto row = checked(table, packed, lmdb_copy(value), index_->seed_);
    if (!row) throw IndexDamaged("index: a pack's row is damaged");
    return std::move(*row);
}

IndexedPack Index::View::pack(PackNumber number) const {
    Bytes const row = pack_row(packs_table, number);
    if (row.size() != pack_row_size) throw IndexDamaged("index: a pack's row is damaged");
    return read_pack_row(row);
}

PackDirectory Index::View::directory(PackNumber number) const {
    return decode_pack_directory(pack_row(directories_table, number));
}

std::optional<PackNumber> Index::View::number(PackId const& id) const {
    Moment const moment(*this);
    MDB_val value{};
    if (!lmdb_get(transaction_.get(), index_->tables_.numbers, lmdb_value(id.bytes), value)) {
        return std::nullopt;
    }
    auto const row = checked(numbers_table, id.bytes, lmdb_copy(value), index_->seed_);
    if (!row || row->size() != 4) throw IndexDamaged("index: a pack's number is damaged");
    return number_of_key(*row);
}

std::uint64_t Index::View::chunk_count() const {
    Moment const moment(*this);
    return entries_of(transaction_.get(), index_->tables_.chunks);
}

void Index::View::each_pack(
    std::function<void(PackNumber, IndexedPack const&)> const& visit) const {
    Moment const moment(*this);
    auto const packs =
        static_cast<PackNumber>(entries_of(transaction_.get(), index_->tables_.packs));
    for (PackNumber number = 0; number < packs; ++number) visit(number, pack(number));
}

Index::View::View(std::shared_ptr<Index const> index)
    : index_(std::move(index)),
      transaction_(begin_transaction(index_->environment_.get(), MDB_RDONLY)) {
    ::mdb_txn_reset(transaction_.get());
}

Index::View::Moment::Moment(View const& view) : view_(view) {
    auto* const transaction = view_.transaction_.get();
    if (view_.moments_ == 0) {
        lmdb_checked(lmdb_call([&] { return ::mdb_txn_renew(transaction); }), "begin");
    }
    ++view_.moments_;
}

Index::View::Moment::~Moment() {
    if (--view_.moments_ == 0) ::mdb_txn_reset(view_.transaction_.get());
}

}  // namespace coffre
