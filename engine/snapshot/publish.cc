#include "engine/snapshot/publish.h"

#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/session.h"
#include "engine/repository/snapshot_store.h"
#include "engine/repository/stored_packs.h"
#include "engine/repository/tree_reader.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr auto bundle_interval = std::chrono::minutes(1);
constexpr std::size_t listing_pays = 64;  // packs; fewer are asked for one by one

std::vector<ChunkId> chunks_of(Bundle const& bundle) {
    std::vector<ChunkId> ids;
    for (auto const& row : bundle) {
        for (auto const& block : decode_pack_directory(row.directory).blocks) {
            for (auto const& chunk : block.chunks) ids.push_back(chunk.id);
        }
    }
    return ids;
}

// Tells the size that a pack has in the store; nothing when it is not there.
using SizeOf = std::function<std::optional<std::uint64_t>(PackId const&)>;

SizeOf sizes_now(Repository& repository, std::size_t asked) {
    if (asked >= listing_pays) {
        auto const listed = std::make_shared<StoredPacks>(repository);
        return [listed](PackId const& pack) { return listed->size_of(pack); };
    }
    return [&store = repository.store()](PackId const& pack) -> std::optional<std::uint64_t> {
        auto const info = store.stat(names::pack(pack));
        if (!info) return std::nullopt;
        return info->size;
    };
}

RepositoryError unreadable(std::string const& found) {
    return {RepositoryFailure::failed,
            "no reader would accept the snapshot's description: " + found};
}

// Throws RepositoryError{failed} for what no reader would accept: nothing could be collected while
// such a slot is there.
Bytes seal_slot(KeyRing const& keys, std::string const& name, Snapshot const& snapshot) {
    Bytes const content = encode_slot({snapshot});
    try {
        if (decode_slot(content).snapshot != snapshot)
            throw FormatError("it would read differently");
    } catch (FormatError const& error) {
        throw unreadable(error.what());
    }
    Bytes object = keys.seal_object(ObjectKind::snapshot, name, content);
    if (object.size() > limits::object_size)
        throw unreadable(std::to_string(object.size()) + " bytes");
    return object;
}

void read_back(Repository& repository, std::string const& name, Snapshot const& snapshot) {
    if (read_slot(repository, name).snapshot != snapshot) {
        throw corrupt(name + ": reads back differently");
    }
    ChunkReader reader(repository, 0);
    DirectoryCursor(reader, snapshot.root.content).next();
}

}  // namespace

Publisher::Publisher(Repository& repository, SessionId const& session, ClaimedChunks& claimed)
    : repository_(repository), session_(session), claimed_(claimed) {}

void Publisher::add(BundleRow row) {
    written_[row.pack] = row.pack_size;
    pending_.add(std::move(row));
    bool const is_late = std::chrono::steady_clock::now() - last_bundle_ > bundle_interval;
    if (is_late || pending_.is_full(packs_per_bundle)) write_bundle();
}

void Publisher::write_bundle() {
    if (pending_.empty()) return;
    Bundle const rows = pending_.take();
    // Index rows follow their durable bundle: another snapshot may rely on them at once.
    if (mutant("index-before-durable")) repository_.index()->add(random_id<BundleId>(), rows);
    BundleId const id = put_bundle(repository_.store(), repository_.keys(), rows);
    if (!mutant("index-before-durable")) repository_.index()->add(id, rows);
    claimed_.release(chunks_of(rows));
    last_bundle_ = std::chrono::steady_clock::now();
}

void Publisher::finish_packs() {
    write_bundle();
}

void Publisher::take_census(Census const& reused) {
    Census census = written_;
    census.insert(reused.begin(), reused.end());
    auto const size_of = sizes_now(repository_, census.size());
    for (auto const& [pack, size] : census) {
        auto const found = size_of(pack);
        if (found == size) continue;
        throw corrupt(names::pack(pack) + ": " + (found ? "has another size" : "is missing") +
                      ", so no snapshot can rely on it; run `repo check`");
    }
}

void Publisher::publish(Snapshot const& snapshot, Census const& reused) {
    std::string const name = names::snapshot(session_);
    try {
        if (!mutant("no-census")) take_census(reused);
    } catch (RepositoryError const&) {
        // The packs of a session that was ended may be gone already.
        require_open(repository_.store(), repository_.keys(), session_);
        throw;
    }
    Bytes const object = seal_slot(repository_.keys(), name, snapshot);
    // Also bundles that another writer has put and not yet synced, and that were relied on.
    repository_.store().barrier();
    bool const is_published = repository_.store().put(name, object) == PutResult::stored;
    if (!is_published && !mutant("ignore-fence")) throw fenced();
    if (!mutant("no-barrier")) repository_.store().barrier();
    // A checkpoint may have closed this slot before it was filled: then it is void.
    if (read_gc_log(repository_.store(), repository_.keys()).closed.contains(session_)) {
        throw fenced();
    }
    if (mutant("no-read-back")) return;
    // It is there: nobody is to begin it anew.
    with_sound_index(repository_, [&] { read_back(repository_, name, snapshot); });
}

}  // namespace coffre
