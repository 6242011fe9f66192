#include "engine/index/index.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "engine/index/page_check.h"
#include "engine/index/rows.h"

namespace coffre {

namespace {

// Address space only: the file grows as it is written. Enough for 100 TiB of 64 KiB chunks.
constexpr std::size_t largest_map = std::size_t{256} << 30U;
constexpr std::size_t smallest_map = std::size_t{64} << 20U;
constexpr std::size_t pack_row_size = PackId::size + SessionId::size + 8;
constexpr unsigned table_count = 6;

// Nothing when there is no such table yet.
std::optional<MDB_dbi> open_table(MDB_txn* transaction, char const* name, unsigned flags) {
    MDB_dbi table = 0;
    int const code = lmdb_call([&] { return ::mdb_dbi_open(transaction, name, flags, &table); });
    if (code == MDB_NOTFOUND) return std::nullopt;
    lmdb_checked(code, "open a table");
    return table;
}

int open_environment(LmdbEnvironment& environment, char const* path, std::size_t map_size) {
    MDB_env* made = nullptr;
    lmdb_checked(::mdb_env_create(&made), "create");
    environment.reset(made);
    guard(made);
    lmdb_checked(::mdb_env_set_maxdbs(made, table_count), "set tables");
    lmdb_checked(::mdb_env_set_mapsize(made, map_size), "set size");
    return lmdb_call([&] { return ::mdb_env_open(made, path, MDB_NOTLS | MDB_NOMETASYNC, 0600); });
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
    int code = ENOMEM;  // where a process, or the processor, has less address space
    for (auto size = largest_map; code == ENOMEM && size >= smallest_map; size /= 2) {
        code = open_environment(environment_, path.c_str(), size);
    }
    require_room(code, path.c_str());
    lmdb_checked(code, ("open " + path).c_str());
    require_whole_file();
    int dead = 0;  // processes that were killed while they read
    lmdb_checked(lmdb_call([&] { return ::mdb_reader_check(environment_.get(), &dead); }),
                 "look at its readers");
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
                     open(tables_.numbers, "numbers", 0) && open(tables_.bundles, "bundles", 0) &&
                     open(tables_.whole, "whole", 0);
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

bool Index::is_whole(SessionId const& snapshot) const {
    auto const transaction = begin_transaction(environment_.get(), MDB_RDONLY);
    MDB_val value{};
    return lmdb_get(transaction.get(), tables_.whole, lmdb_value(snapshot.bytes), value) &&
           checked(whole_table, snapshot.bytes, lmdb_copy(value), seed_).has_value();
}

void Index::note_whole(SessionId const& snapshot, std::optional<SessionId> const& before) {
    auto transaction = begin_writing();
    Bytes const check = with_check(whole_table, snapshot.bytes, {}, seed_);
    lmdb_put(transaction.get(), tables_.whole, lmdb_value(snapshot.bytes), lmdb_value(check));
    if (before) lmdb_delete(transaction.get(), tables_.whole, lmdb_value(before->bytes));
    commit(std::move(transaction));
}

template <class Visit>
void Index::View::each_place(ChunkId const& id, Visit const& visit) const {
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
        if (!visit(ChunkPlace{in.u32(), in.u32()})) return;
    }
}

std::optional<ChunkPlace> Index::View::find(ChunkId const& id,
                                            std::function<bool(PackNumber)> const& usable) const {
    std::optional<ChunkPlace> found;
    each_place(id, [&](ChunkPlace const& place) {
        if (usable(place.pack)) found = place;
        return !found;
    });
    return found;
}

// One in each pack.
std::vector<ChunkPlace> Index::View::places(ChunkId const& id) const {
    std::vector<ChunkPlace> all;
    each_place(id, [&](ChunkPlace const& place) {
        if (all.empty() || all.back().pack != place.pack) all.push_back(place);
        return true;
    });
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

PackNumber Index::View::pack_count() const {
    Moment const moment(*this);
    return static_cast<PackNumber>(entries_of(transaction_.get(), index_->tables_.packs));
}

void Index::View::each_pack(
    std::function<void(PackNumber, IndexedPack const&)> const& visit) const {
    Moment const moment(*this);
    PackNumber const packs = pack_count();
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
