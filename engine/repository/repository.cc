#include "engine/repository/repository.h"

#include <algorithm>
#include <cerrno>

#include "engine/crypto/kdf.h"
#include "engine/index/lmdb.h"
#include "engine/repository/key_slots.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/util/file_lock.h"
#include "engine/util/small_file.h"

namespace coffre {

namespace {

constexpr std::size_t known_session_keys = 4096;
constexpr int build_attempts = 32;  // others may replace bundles all the time

std::uint64_t cache_seed(KeyRing const& keys) {
    SecretKey const key = keys.derive("coffre-cache");
    Reader in(key.view(), "cache seed");
    return in.u64();
}

}  // namespace

void make_cache(OpenOptions const& options, RepositoryId const& repository) {
    try {
        make_folders(options.cache_folder + "/" + repository.hex() + "/index");
    } catch (SourceError const& error) {
        throw SourceError(error.path(), std::string(error.what()) +
                                            "; a folder for this machine's index is needed: name "
                                            "one with --cache-dir or REPO_CACHE_DIR");
    }
}

Repository::Repository(std::shared_ptr<Backend> store, ConfigSecrets const& config, KeyRing keys,
                       OpenOptions const& options)
    : store_(std::move(store)),
      keys_(std::move(keys)),
      namer_(SecretKey(config.id_key)),
      chunker_(SecretKey(config.chunker_key), config.chunker),
      folder_(options.cache_folder + "/" + keys_.repository().hex()),
      warn_(options.warn),
      index_seed_(cache_seed(keys_)),
      session_keys_(known_session_keys) {
    make_cache(options, keys_.repository());
    local_state_ = load_local_state(folder_, keys_.repository());
}

std::shared_ptr<Index> Repository::index() {
    std::lock_guard const lock(index_mutex_);
    if (!index_) level_index();
    return index_;
}

Index::View Repository::index_view() {
    std::lock_guard const lock(index_mutex_);
    if (!index_) level_index();
    return Index::View(index_);
}

bool Repository::refresh_index() {
    std::lock_guard const lock(index_mutex_);
    return level_index();
}

void Repository::rebuild_index() {
    std::lock_guard const lock(index_mutex_);
    build_index();
}

bool Repository::rebuild_index_once(std::uint64_t seen_generation) {
    std::lock_guard const lock(index_mutex_);
    if (seen_generation != index_generation_) return true;
    if (index_is_rebuilt_) return false;
    build_index();
    return true;
}

std::uint64_t Repository::index_generation() {
    std::lock_guard const lock(index_mutex_);
    return index_generation_;
}

// Another process may erase it: the two files of the database must be of the same one.
void Repository::open_index(Database which) {
    index_.reset();
    FileLock const lock(folder_ + "/index.lock");
    if (which == Database::fresh) Index::erase(folder_ + "/index");
    index_ = std::make_shared<Index>(folder_ + "/index", index_seed_);
}

bool Repository::level_index() {
    try {
        bool const is_new = !index_;
        if (is_new) open_index(Database::known);
        // Before the store is listed: another process of this machine may put a bundle and enter it
        // here meanwhile.
        auto const known = index_->bundles();
        auto const present = list_bundles();
        bool const all_there =
            std::includes(present.begin(), present.end(), known.begin(), known.end());
        if (!all_there) throw IndexDamaged("index: knows bundles that are gone");
        return add_missing_bundles(present) || is_new;
    } catch (IndexDamaged const&) {
        build_index();
        return true;
    }
}

void Repository::build_index() {
    index_is_rebuilt_ = true;
    ++index_generation_;
    for (int attempt = 1;; ++attempt) {
        try {
            open_index(Database::fresh);
            add_missing_bundles(list_bundles());
            return;
        } catch (IndexDamaged const& error) {
            if (attempt < build_attempts) continue;
            // A page of a mapped file for which there is no room looks like a damaged one.
            require_room(EIO, folder_.c_str());
            throw RepositoryError(RepositoryFailure::failed, error.what());
        }
    }
}

std::set<BundleId> Repository::list_bundles() {
    std::set<BundleId> ids;
    auto const before = std::exchange(damaged_bundles_, {});
    for (auto const& object : store_->list("bundles/")) {
        if (auto const known = before.find(object.name); known != before.end()) {
            damaged_bundles_.insert(*known);
        }
        auto const id = BundleId::parse(last_component(object.name));
        if (id) {
            ids.insert(*id);
        } else {
            leave_out(object.name, object.name + ": not a bundle's name");
        }
    }
    return ids;
}

void Repository::add_bundle(BundleId const& id, Index::Load& load) {
    std::string const name = names::bundle(id);
    naming(name, [&] { load.add(id, read_bundle(*store_, keys_, name)); });
}

bool Repository::add_missing_bundles(std::set<BundleId> const& present) {
    auto const known = index_->bundles();
    Index::Load load(*index_);
    bool has_grown = false;
    for (auto const& id : present) {
        if (known.contains(id)) continue;
        try {
            add_bundle(id, load);
            has_grown = true;
            damaged_bundles_.erase(names::bundle(id));
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            if (!store_->stat(names::bundle(id)))
                throw IndexDamaged("index: bundles are being replaced");
            leave_out(names::bundle(id), error.what());
        }
    }
    load.finish();
    return has_grown;
}

void Repository::leave_out(std::string const& bundle, std::string const& why) {
    if (!damaged_bundles_.emplace(bundle, why).second || !warn_) return;
    warn_(why + "; going on without it. `repo check` tells what needs it");
}

void Repository::reload_local_state() {
    if (auto const state = read_local_state(folder_, keys_.repository())) local_state_ = *state;
}

void Repository::update_local_state(std::function<void(LocalState&)> const& change) {
    LocalState const known = local_state_;
    change(local_state_);
    local_state_ = coffre::update_local_state(folder_, known, change);
}

void Repository::keep_local_state(Progress const* progress,
                                  std::function<void(LocalState&)> const& change) {
    try {
        update_local_state(change);
    } catch (SourceError const& error) {
        if (progress != nullptr) return progress->report_failure(error.path(), error.what());
        if (warn_) warn_(error.path() + ": " + error.what());
    }
}

std::shared_ptr<SessionKey const> Repository::session_key(PackDirectory const& directory,
                                                          KeyId const& id) {
    bool const is_encrypted = keys_.mode() == Mode::encrypted;
    if (id.is_zero() == is_encrypted)
        throw FormatError(is_encrypted ? "a block without a key" : "a block with a key");
    std::pair const wanted(id, directory.kind);
    std::lock_guard const lock(mutex_);
    if (auto known = session_keys_.find(wanted)) return known;
    SessionKey key;
    key.kind = directory.kind;
    if (is_encrypted) {
        auto const wrapped =
            std::find_if(directory.keys.begin(), directory.keys.end(), [&](WrappedKey const& k) {
                return k.id == id && k.kind == directory.kind && k.type == WrapType::master;
            });
        if (wrapped == directory.keys.end()) throw FormatError("a block is not sealed under a key");
        require_no_newer_secret(*wrapped);
        key = keys_.unwrap(*wrapped);
    }
    return session_keys_.insert(wanted, std::move(key), 1);
}

// Asked once for each: a directory may be large.
bool Repository::can_read(Index::View const& view, PackNumber pack) {
    if (keys_.mode() == Mode::none) return true;
    PackId const id = view.pack(pack).id;
    {
        std::lock_guard const lock(mutex_);
        auto const known = readable_.find(id);
        if (known != readable_.end()) return known->second;
    }
    bool const is_readable = can_unwrap(view.directory(pack));
    std::lock_guard const lock(mutex_);
    return readable_[id] = is_readable;
}

bool Repository::can_unwrap(PackDirectory const& directory) {
    try {
        for (auto const& key : directory.keys) session_key(directory, key.id);
        return true;
    } catch (FormatError const&) {
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::wrong_key) throw;
    }
    return false;
}

// What was sealed since somebody drew a new master secret is not damaged.
void Repository::require_no_newer_secret(WrappedKey const& key) {
    if (key.epoch <= keys_.newest_epoch() || newest_slot_epoch(*store_) <= keys_.newest_epoch())
        return;
    throw RepositoryError(RepositoryFailure::wrong_key,
                          "the repository has got a new master secret, which this key does not "
                          "open: open it again with the new one");
}

RepositoryId const& repository_id(Repository const& repository) {
    return repository.id();
}
Mode repository_mode(Repository const& repository) {
    return repository.keys().mode();
}

}  // namespace coffre
