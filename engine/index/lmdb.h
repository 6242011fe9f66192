// LMDB's handles with owners, and its return codes as exceptions.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <lmdb.h>
#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>

#include "engine/error.h"
#include "engine/index/fault_guard.h"
#include "format/bytes.h"
#include "format/limits.h"

namespace coffre {

// The database is not as this program leaves it, or cannot be used: rebuild it.
class IndexDamaged : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// LMDB says EIO of a write that was cut short.
inline bool is_full(int code, char const* folder) {
    struct statvfs status {};
    bool const is_short = code == EIO && ::statvfs(folder, &status) == 0 && status.f_bavail == 0;
    return code == ENOSPC || code == EDQUOT || is_short;
}

// No room for the database is no damage: to build it again takes as much.
inline void require_room(int code, char const* folder) {
    if (!is_full(code, folder)) return;
    throw RepositoryError(RepositoryFailure::no_space,
                          std::string("the index cannot be written to the cache folder ") + folder +
                              ": " + std::strerror(ENOSPC));
}

// Nor is it that others are in the way, or that it has outgrown its bounds.
inline void require_usable(int code) {
    if (code == MDB_READERS_FULL) {
        throw RepositoryError(RepositoryFailure::failed,
                              "too many processes read this machine's index at once");
    }
    if (code == MDB_MAP_FULL) {
        throw RepositoryError(RepositoryFailure::failed,
                              "the index has outgrown the address space that it may have; see "
                              "`ulimit -v`");
    }
}

inline void lmdb_checked(int code, char const* doing) {
    require_usable(code);
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

inline char const* folder_of(MDB_txn* transaction) {
    char const* folder = "";
    ::mdb_env_get_path(::mdb_txn_env(transaction), &folder);
    return folder;
}

inline void commit(LmdbTransaction transaction) {
    char const* const folder = folder_of(transaction.get());
    MDB_txn* const raw = transaction.release();
    int const code = lmdb_call([&] { return ::mdb_txn_commit(raw); });
    require_room(code, folder);
    lmdb_checked(code, "commit");
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
    int const code = lmdb_call([&] { return ::mdb_put(transaction, table, &key, &value, 0); });
    require_room(code, folder_of(transaction));
    lmdb_checked(code, "write");
}

// Nothing happens when there is none.
inline void lmdb_delete(MDB_txn* transaction, MDB_dbi table, MDB_val key) {
    int const code = lmdb_call([&] { return ::mdb_del(transaction, table, &key, nullptr); });
    require_room(code, folder_of(transaction));
    if (code != MDB_NOTFOUND) lmdb_checked(code, "remove");
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
