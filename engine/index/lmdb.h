// LMDB's handles with owners, and its return codes as exceptions.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <lmdb.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "engine/index/fault_guard.h"
#include "format/bytes.h"
#include "format/limits.h"

namespace coffre {

// The database is not as this program leaves it, or cannot be used: rebuild it.
class IndexDamaged : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

inline void lmdb_checked(int code, char const* doing) {
    if (code != MDB_SUCCESS) {
        throw IndexDamaged(std::string("index: cannot ") + doing + ": " + ::mdb_strerror(code));
    }
}

// Every call that may touch the database's pages goes through here.
template <class Call>
int lmdb_call(Call const& call) {
    int code = MDB_CORRUPTED;
    auto run = [&] { code = call(); };
    if (!survives(run)) throw IndexDamaged("index: its file is damaged");
    return code;
}

// Those that end something have no use for a failure: what it held is leaked.
template <class Call>
void lmdb_end(Call const& call) {
    survives(call);
}

struct CloseEnvironment {
    void operator()(MDB_env* environment) const {
        lmdb_end([=] { ::mdb_env_close(environment); });
    }
};
using LmdbEnvironment = std::unique_ptr<MDB_env, CloseEnvironment>;

struct AbortTransaction {
    void operator()(MDB_txn* transaction) const {
        lmdb_end([=] { ::mdb_txn_abort(transaction); });
    }
};
using LmdbTransaction = std::unique_ptr<MDB_txn, AbortTransaction>;

struct CloseCursor {
    void operator()(MDB_cursor* cursor) const {
        lmdb_end([=] { ::mdb_cursor_close(cursor); });
    }
};
using LmdbCursor = std::unique_ptr<MDB_cursor, CloseCursor>;

inline LmdbTransaction begin_transaction(MDB_env* environment, unsigned flags) {
    MDB_txn* transaction = nullptr;
    lmdb_checked(
        lmdb_call([&] { return ::mdb_txn_begin(environment, nullptr, flags, &transaction); }),
        "begin");
    return LmdbTransaction(transaction);
}

inline void commit(LmdbTransaction transaction) {
    MDB_txn* const raw = transaction.release();
    lmdb_checked(lmdb_call([&] { return ::mdb_txn_commit(raw); }), "commit");
}

inline LmdbCursor open_cursor(MDB_txn* transaction, MDB_dbi table) {
    MDB_cursor* cursor = nullptr;
    lmdb_checked(lmdb_call([&] { return ::mdb_cursor_open(transaction, table, &cursor); }), "read");
    return LmdbCursor(cursor);
}

// False at the end, or when there is none.
inline bool lmdb_move(LmdbCursor const& cursor, MDB_cursor_op to, MDB_val& key, MDB_val& value) {
    int const code = lmdb_call([&] { return ::mdb_cursor_get(cursor.get(), &key, &value, to); });
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
    return code != MDB_NOTFOUND;
}

inline bool lmdb_get(MDB_txn* transaction, MDB_dbi table, MDB_val key, MDB_val& value) {
    int const code = lmdb_call([&] { return ::mdb_get(transaction, table, &key, &value); });
    if (code != MDB_NOTFOUND) lmdb_checked(code, "read");
    return code != MDB_NOTFOUND;
}

inline void lmdb_put(MDB_txn* transaction, MDB_dbi table, MDB_val key, MDB_val value) {
    lmdb_checked(lmdb_call([&] { return ::mdb_put(transaction, table, &key, &value, 0); }),
                 "write");
}

inline std::uint64_t entries_of(MDB_txn* transaction, MDB_dbi table) {
    MDB_stat statistics{};
    lmdb_checked(lmdb_call([&] { return ::mdb_stat(transaction, table, &statistics); }), "count");
    return statistics.ms_entries;
}

// What LMDB points to, copied: it may lie anywhere.
inline Bytes lmdb_copy(MDB_val const& value) {
    if (value.mv_size == 0) return {};
    if (value.mv_size > limits::object_size || value.mv_data == nullptr) {
        throw IndexDamaged("index: a value is nowhere");
    }
    Bytes copy(value.mv_size);
    auto run = [&] { std::memcpy(copy.data(), value.mv_data, value.mv_size); };
    if (!survives(run)) throw IndexDamaged("index: its file is damaged");
    return copy;
}

// LMDB's interface is not const-correct: it reads through this pointer only.
inline MDB_val lmdb_value(ByteView bytes) {
    return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}

}  // namespace coffre
