// LMDB's handles with owners, and its return codes as exceptions.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <lmdb.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "format/bytes.h"

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

struct CloseEnvironment {
    void operator()(MDB_env* environment) const { ::mdb_env_close(environment); }
};
using LmdbEnvironment = std::unique_ptr<MDB_env, CloseEnvironment>;

struct AbortTransaction {
    void operator()(MDB_txn* transaction) const { ::mdb_txn_abort(transaction); }
};
using LmdbTransaction = std::unique_ptr<MDB_txn, AbortTransaction>;

struct CloseCursor {
    void operator()(MDB_cursor* cursor) const { ::mdb_cursor_close(cursor); }
};
using LmdbCursor = std::unique_ptr<MDB_cursor, CloseCursor>;

inline LmdbTransaction begin_transaction(MDB_env* environment, unsigned flags) {
    MDB_txn* transaction = nullptr;
    lmdb_checked(::mdb_txn_begin(environment, nullptr, flags, &transaction), "begin");
    return LmdbTransaction(transaction);
}

inline void commit(LmdbTransaction transaction) {
    lmdb_checked(::mdb_txn_commit(transaction.release()), "commit");
}

// LMDB's interface is not const-correct: it reads through this pointer only.
inline MDB_val lmdb_value(ByteView bytes) {
    return {bytes.size(), const_cast<std::byte*>(bytes.data())};
}

inline ByteView lmdb_view(MDB_val const& value) {
    return {static_cast<std::byte const*>(value.mv_data), value.mv_size};
}

}  // namespace coffre
