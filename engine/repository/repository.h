// An open repository: its store, its keys and what is derived from them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <mutex>
#include <unordered_map>

#include "engine/backend/backend.h"
#include "engine/chunk/chunker.h"
#include "engine/crypto/hash.h"
#include "engine/crypto/key_ring.h"
#include "engine/index/load.h"
#include "engine/progress.h"
#include "engine/repository.h"
#include "engine/repository/damage_notes.h"
#include "engine/repository/local_state.h"
#include "engine/util/lru_cache.h"

namespace coffre {

// Makes the folders for what this machine keeps of the repository. Throws SourceError.
void make_cache(OpenOptions const& options, RepositoryId const& repository);

class Repository {
public:
    Repository(std::shared_ptr<Backend> store, ConfigSecrets const& config, KeyRing keys,
               OpenOptions const& options);

    Backend& store() { return *store_; }
    KeyRing const& keys() const { return keys_; }
    // The name of the key slot that opened it; empty in mode none.
    std::string const& opened_by() const { return opened_by_; }
    void set_opened_by(std::string slot) { opened_by_ = std::move(slot); }
    RepositoryId const& id() const { return keys_.repository(); }
    ChunkNamer const& namer() const { return namer_; }
    Chunker const& chunker() const { return chunker_; }

    // The index, level with the repository's bundles since the last refresh_index(). All that is
    // about it may be called from any thread. Who holds one that was built anew since adds to the
    // old one, which nobody reads any more.
    std::shared_ptr<Index> index();
    Index::View index_view();
    // Adds the bundles that the index lacks; builds it again when it is lost, damaged or foreign,
    // or knows bundles that are gone. Damaged bundles are left out: their chunks count as missing.
    // Returns whether it changed.
    bool refresh_index();
    // The bundles that were left out, by name, and what is wrong with each.
    std::map<std::string, std::string> const& damaged_bundles() const { return damaged_bundles_; }
    // Builds the index from nothing. Views of the old one go on seeing that.
    void rebuild_index();
    // The same, once in the life of this object, for who found the index of this generation wrong:
    // false when that is one that was built again, so that the index cannot be what is wrong.
    bool rebuild_index_once(std::uint64_t seen_generation);
    // Grows with each time it is built again: views of another generation see an old index.
    std::uint64_t index_generation();

    // What this machine keeps of the repository lies there: the index, what it has seen and
    // checked.
    std::string const& folder() const { return folder_; }
    // Remembers it for checks. Any thread.
    void note_damaged(PackId const& pack) const { coffre::note_damaged(folder_, pack); }
    // As it was last read.
    LocalState const& local_state() const { return local_state_; }
    void reload_local_state();
    // Changes it here and in its file, with what other processes have done to that since. Throws
    // SourceError: then it is changed here only.
    void update_local_state(std::function<void(LocalState&)> const& change);
    // The same, once what was asked for is done: a failure is only told, to `progress` where there
    // is one, else as a warning.
    void keep_local_state(Progress const* progress, std::function<void(LocalState&)> const& change);

    // The session key that a pack's directory wraps; kept for the next block.
    std::shared_ptr<SessionKey const> session_key(PackDirectory const& directory, KeyId const& id);
    // Whether the pack's session keys can be unwrapped: the master secret of one may be lost.
    bool can_read(Index::View const& view, PackNumber pack);

private:
    void require_no_newer_secret(WrappedKey const& key);
    bool can_unwrap(PackDirectory const& directory);
    enum class Database { known, fresh };
    void open_index(Database which);
    bool level_index();
    void build_index();
    std::set<BundleId> list_bundles();
    void add_bundle(BundleId const& id, Index::Load& load);
    bool add_missing_bundles(std::set<BundleId> const& present);
    void leave_out(std::string const& bundle, std::string const& why);

    std::shared_ptr<Backend> store_;
    KeyRing keys_;
    std::string opened_by_;
    ChunkNamer namer_;
    Chunker chunker_;
    std::string folder_;
    std::function<void(std::string const&)> warn_;
    std::map<std::string, std::string> damaged_bundles_;
    std::uint64_t index_seed_;
    LocalState local_state_;
    std::mutex index_mutex_;
    std::shared_ptr<Index> index_;  // by index_mutex_, like what follows
    bool index_is_rebuilt_ = false;
    std::uint64_t index_generation_ = 0;
    std::mutex mutex_;
    LruCache<std::pair<KeyId, PackKind>, SessionKey> session_keys_;  // by mutex_
    std::unordered_map<PackId, bool, IdHash> readable_;              // by mutex_
};

// Runs `action`; an index that it finds damaged is a failure. For what cannot be run twice: a
// ChunkReader builds the index again by itself.
template <class Action>
auto with_index(Action const& action) {
    try {
        return action();
    } catch (IndexDamaged const& error) {
        throw RepositoryError(RepositoryFailure::failed, error.what());
    }
}

// Runs `action`; when it finds the index damaged, builds the index again and runs it once more.
template <class Action>
auto with_sound_index(Repository& repository, Action const& action) {
    try {
        return action();
    } catch (IndexDamaged const&) {
        repository.rebuild_index();
    }
    return with_index(action);
}

}  // namespace coffre
