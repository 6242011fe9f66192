#include "engine/index/load.h"

#include <tuple>

#include "engine/index/rows.h"

namespace coffre {

namespace {

// LMDB keeps the pages that a transaction writes in memory until its end: of rows in order each
// page is filled, any other row may need a page of its own.
constexpr std::size_t dirty_bound = 256 * std::size_t{1024};
constexpr std::size_t rows_per_page = 16;
constexpr std::size_t rows_in_memory = 1024 * std::size_t{1024};  // 40 bytes each

}  // namespace

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
        if (is_there) return;
        require_room(code, folder_of(transaction_.get()));
        lmdb_checked(code, "write");
    }

    Index& index_;
    LmdbTransaction transaction_;
    std::size_t dirty_ = 0;  // rows that the pages to be written could hold
    std::optional<ChunkId> last_;
};

Index::Load::Load(Index& index)
    : index_(index), rows_(std::make_unique<SortedRuns<Row>>(index.path_, rows_in_memory)) {}

Index::Load::~Load() = default;

PackNumber Index::Load::add_pack(MDB_txn* transaction, BundleRow const& row) {
    MDB_val const key = lmdb_value(row.pack.bytes);
    MDB_val found{};
    if (lmdb_get(transaction, index_.tables_.numbers, key, found)) {
        auto const value = checked(numbers_table, row.pack.bytes, lmdb_copy(found), index_.seed_);
        if (!value || value->size() != 4) throw IndexDamaged("index: a pack's number is damaged");
        return number_of_key(*value);
    }
    auto const number = static_cast<PackNumber>(entries_of(transaction, index_.tables_.packs));
    Bytes const packed = number_key(number);
    Bytes const number_value = with_check(numbers_table, row.pack.bytes, packed, index_.seed_);
    lmdb_put(transaction, index_.tables_.numbers, key, lmdb_value(number_value));
    Writer out;
    out.id(row.pack);
    out.id(row.session);
    out.u64(row.pack_size);
    Bytes const pack_value = with_check(packs_table, packed, out.view(), index_.seed_);
    lmdb_put(transaction, index_.tables_.packs, lmdb_value(packed), lmdb_value(pack_value));
    Bytes const directory = with_check(directories_table, packed, row.directory, index_.seed_);
    lmdb_put(transaction, index_.tables_.directories, lmdb_value(packed), lmdb_value(directory));
    return number;
}

void Index::Load::add(BundleId const& id, Bundle const& bundle) {
    std::vector<Row> rows;
    auto transaction = index_.begin_writing();
    for (auto const& row : bundle) {
        PackNumber const pack = add_pack(transaction.get(), row);
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

}  // namespace coffre
