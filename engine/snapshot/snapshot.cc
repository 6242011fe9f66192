// A snapshot from beginning to end: the stages and their order.
#include "engine/snapshot.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "engine/repository/names.h"
#include "engine/repository/tree_reader.h"
#include "engine/snapshot/estimate.h"
#include "engine/snapshot/identify.h"
#include "engine/snapshot/pack.h"
#include "engine/snapshot/publish.h"
#include "engine/snapshot/record.h"
#include "engine/snapshot/session.h"
#include "engine/snapshot/streams.h"
#include "engine/snapshot/walk.h"
#include "engine/snapshots.h"
#include "engine/util/clock.h"
#include "engine/util/host.h"
#include "engine/util/ordered_stage.h"
#include "engine/util/workers.h"
#include "engine/version.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t pack_target = 16 * limits::mib;
constexpr std::size_t parent_cache = 32 * limits::mib;
constexpr std::size_t uploads = 2;

std::string user_name() {
    struct passwd const* const entry = ::getpwuid(::geteuid());
    return entry != nullptr ? entry->pw_name : std::to_string(::geteuid());
}

std::vector<std::string> sorted_unique(std::vector<std::string> texts) {
    std::sort(texts.begin(), texts.end());
    texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
    return texts;
}

// What is known before the first byte is read.
Snapshot describe(SnapshotRequest const& request, std::vector<std::string> const& paths) {
    Snapshot snapshot;
    snapshot.started_ns = now_ns();
    snapshot.time_ns = request.time_ns.value_or(snapshot.started_ns);
    snapshot.paths = sorted_unique(paths);
    for (auto const& stream : request.streams) snapshot.streams.push_back(stream->name());
    snapshot.streams = sorted_unique(snapshot.streams);
    snapshot.tags = sorted_unique(request.tags);
    snapshot.host = request.host.empty() ? host_name() : request.host;
    snapshot.user = user_name();
    snapshot.program = std::string("coffre ") + program_version;
    snapshot.point = request.point;
    return snapshot;
}

std::optional<NamedSnapshot> choose_parent(Repository& repository, SnapshotRequest const& request,
                                           Snapshot const& snapshot) {
    if (request.parent == ParentChoice::none) return std::nullopt;
    if (request.parent == ParentChoice::given) {
        auto found = find_snapshot(repository, request.parent_name, {});
        return NamedSnapshot{found.id, std::move(found.snapshot)};
    }
    auto list = list_snapshots(repository).snapshots;
    for (auto it = list.rbegin(); it != list.rend(); ++it) {
        Snapshot const& candidate = it->snapshot;
        if (candidate.host == snapshot.host && candidate.paths == snapshot.paths &&
            candidate.time_ns <= snapshot.started_ns) {
            return std::move(*it);
        }
    }
    return std::nullopt;
}

// The snapshot's place in the chain of this machine's snapshots.
void continue_chain(Repository& repository, Snapshot& snapshot) {
    LocalState const& state = repository.local_state();
    snapshot.writer = state.writer;
    auto const head = state.heads.find(state.writer);
    if (head == state.heads.end()) return;
    snapshot.previous = head->second;
    snapshot.sequence = state.sequence + 1;
}

void remember(Repository& repository, SessionId const& id, Snapshot const& snapshot,
              GcState const& log) {
    LocalState& state = repository.local_state();
    state.heads[snapshot.writer] = id;
    state.sequence = snapshot.sequence;
    state.log_records = log.next_record;
    repository.save_local_state();
}

// The run of one session, from its announcement to its snapshot.
class Run {
public:
    Run(Repository& repository, SnapshotRequest& request, Progress& progress)
        : repository_(repository), request_(request), progress_(progress) {}

    SnapshotResult take() {
        named_ = clean_paths(request_.paths);
        auto const paths = without_nested(named_);
        require_one_source(paths);
        require_free_names(paths);
        SnapshotResult result;
        Snapshot& snapshot = result.snapshot;
        // Announced before the log is read, so that a collector either waits for this session or
        // has condemned before: docs/architecture.md, section "Commit".
        std::optional<Session> session;
        if (mutant("log-before-session"))
            log_ = read_gc_log(repository_.store(), repository_.keys());
        if (!request_.dry_run) session.emplace(repository_.store(), repository_.keys());
        snapshot = describe(request_, paths);
        if (!mutant("log-before-session")) {
            log_ = read_gc_log(repository_.store(), repository_.keys());
        }
        auto const parent = readable_parent(snapshot);
        if (parent) {
            snapshot.parent = parent->id;
            progress_.total_files = parent->snapshot.statistics.files;
            progress_.total_bytes = parent->snapshot.statistics.bytes;
        }
        std::optional<Estimate> estimate;
        if (!parent && progress_.wants_total) {
            estimate.emplace(paths, request_.exclude, progress_);
        }
        SessionId const id = session ? session->id() : SessionId{};
        Publisher publisher(repository_, id, claimed_);
        auto const reused = save_or_keep(paths, parent, id, publisher, snapshot);
        snapshot.finished_ns = now_ns();
        result.unchanged = parent && snapshot.failure_count == 0 &&
                           parent->snapshot.root.digest == snapshot.root.digest;
        if (request_.dry_run || (request_.skip_if_unchanged && result.unchanged)) return result;
        continue_chain(repository_, snapshot);
        publisher.publish(snapshot, reused);
        result.id = id;
        try {
            remember(repository_, id, snapshot, log_);
        } catch (SourceError const& error) {
            // The snapshot is real; only the memory of having seen it is not.
            if (progress_.on_failure) progress_.on_failure(error.path(), error.what());
        }
        return result;
    }

private:
    std::optional<NamedSnapshot> readable_parent(Snapshot const& snapshot) {
        auto parent = choose_parent(repository_, request_, snapshot);
        // Level with the bundles of every snapshot that was listed.
        repository_.refresh_index();
        if (give_up_lost_packs() == Trees::lost) return std::nullopt;
        bool const may_lack = !repository_.damaged_bundles().empty();
        if (may_lack && parent && !is_whole(parent->snapshot)) return std::nullopt;
        return parent;
    }

    // Whatever ends the run, what is stored by then becomes known, so that the next run goes on.
    std::set<PackNumber> save_or_keep(std::vector<std::string> const& paths,
                                      std::optional<NamedSnapshot> const& parent,
                                      SessionId const& id, Publisher& publisher,
                                      Snapshot& snapshot) {
        try {
            return save(paths, parent, id, publisher, snapshot);
        } catch (RepositoryError const&) {
            try {
                publisher.finish_packs();
            } catch (RepositoryError const&) {
                // The first failure is the one to tell.
            }
            throw;
        }
    }

    // walk -> split -> [identify] -> record -> [encode] -> pack -> [put] -> publish
    //
    // Declared from the last to the first, so that a stage stops before the one it feeds.
    std::set<PackNumber> save(std::vector<std::string> const& paths,
                              std::optional<NamedSnapshot> const& parent, SessionId const& id,
                              Publisher& publisher, Snapshot& snapshot) {
        KeyRing const& keys = repository_.keys();
        SessionKeys const session_keys(keys);
        std::size_t const cores = worker_count(request_.threads);
        OrderedStage<OpenPack, BundleRow> put(
            uploads, 1, [&](OpenPack pack) { return store(std::move(pack)); },
            [&](BundleRow row) { publish(publisher, std::move(row)); });
        Packer packer(id, session_keys, pack_target,
                      [&](OpenPack pack) { put.push(std::move(pack)); });
        OrderedStage<Block, SealedBlock> encode(
            cores, 2 * cores,
            [&](Block block) {
                SessionKey const& key = session_keys.of(block.kind);
                return encode_block(std::move(block), key, keys.repository(),
                                    request_.compression_level);
            },
            [&](SealedBlock block) { packer.add(std::move(block)); });
        Recorder record(repository_, log_, claimed_,
                        [&](Block block) { encode.push(std::move(block)); });
        OrderedStage<Batch, Batch> identified(
            cores, cores,
            [&](Batch batch) { return identify(repository_.namer(), std::move(batch)); },
            [&](Batch const& batch) { record.add(batch); });

        auto const pool = std::make_shared<BufferPool>(batch_buffer_size);
        auto const hand_on = [&](Batch batch) { identified.push(std::move(batch)); };
        read_streams(request_.streams, repository_.chunker(), pool, hand_on, progress_);
        read_paths(paths, parent, pool, hand_on, snapshot);
        identified.finish();
        record.finish();
        encode.finish();
        packer.flush();
        put.finish();
        publisher.finish_packs();
        snapshot.root = record.root();
        snapshot.statistics = record.statistics();
        snapshot.statistics.bytes_stored = packer.stored_bytes();
        return record.reused_packs();
    }

    void read_paths(std::vector<std::string> const& paths,
                    std::optional<NamedSnapshot> const& parent,
                    std::shared_ptr<BufferPool> const& pool,
                    std::function<void(Batch)> const& hand_on, Snapshot& snapshot) {
        Splitter split(repository_.chunker(), pool, hand_on);
        std::optional<ChunkReader> reader;
        std::optional<ParentTree> before;
        if (parent) {
            reader.emplace(repository_, parent_cache);
            before.emplace(
                ParentTree{*reader, parent->snapshot.root, parent->snapshot.started_ns,
                           [&](Node const& node) { return may_inherit(*reader, node); }});
        }
        Walker walker(request_.exclude, before ? &*before : nullptr, split, progress_);
        walker.walk(paths, named_);
        snapshot.failures = walker.failures();
        snapshot.failure_count = walker.failure_count();
    }

    // Packs that the index knows and the store no longer has count as condemned: what the sources
    // still have of them is stored again. With a pack of trees the parent is lost as well.
    enum class Trees { whole, lost };
    Trees give_up_lost_packs() {
        std::map<std::string, std::uint64_t> present;
        for (auto const& object : repository_.store().list("packs/")) {
            present.emplace(object.name, object.size);
        }
        Trees trees = Trees::whole;
        Index::View const view = repository_.index_view();
        view.each_pack([&](PackNumber number, IndexedPack const& pack) {
            auto const found = present.find(names::pack(pack.id));
            bool const is_there = found != present.end() && found->second == pack.size;
            if (is_there || log_.swept.contains(pack.id)) return;
            if (view.directory(number).kind == PackKind::meta) trees = Trees::lost;
            log_.condemned.insert(pack.id);
            log_.ends_in_condemn = true;
            if (progress_.on_failure) {
                progress_.on_failure(names::pack(pack.id),
                                     "is missing or cut off; what the sources still hold of it is "
                                     "stored again. Run `repo check` for what is lost");
            }
        });
        return trees;
    }

    // Taking a file over is reuse: while a condemn record waits for its sweep, every chunk of it
    // must have a copy that is not condemned.
    bool may_inherit(ChunkReader& reader, Node const& node) const {
        if (!log_.ends_in_condemn || mutant("inherit-condemned")) return true;
        return is_usable(reader, node.content);
    }

    // Whether the index knows all that the snapshot needs.
    bool is_whole(Snapshot const& snapshot) const {
        ChunkReader reader(repository_, parent_cache);
        bool whole = true;
        try {
            walk_snapshot(repository_, snapshot, "", [&](std::string const&, Node const& node) {
                whole = whole && (!node.is_file() || is_usable(reader, node.content));
                return whole;
            });
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            return false;
        }
        return whole;
    }

    // The recipes count as much as the chunks that they list.
    bool is_usable(ChunkReader& reader, Content const& content) const {
        auto const in_usable_pack = [&](PackNumber pack) {
            return log_.usable(reader.view().pack(pack).id);
        };
        for (auto const& entry : content.entries) {
            if (!reader.view().find(entry.id, in_usable_pack)) return false;
            if (content.level == 0) continue;
            auto const below = static_cast<std::uint8_t>(content.level - 1);
            try {
                Bytes const recipe = reader.read(PackKind::meta, entry.id);
                if (!is_usable(reader, {below, decode_recipe(recipe, below)})) return false;
            } catch (FormatError const&) {
                return false;
            }
        }
        return true;
    }

    BundleRow store(OpenPack pack) const {
        FinishedPack finished = finish_pack(repository_.keys(), std::move(pack));
        if (request_.dry_run) return std::move(finished.row);
        if (repository_.store().put(finished.name, finished.bytes) != PutResult::stored) {
            throw RepositoryError(RepositoryFailure::failed, finished.name + ": exists already");
        }
        return std::move(finished.row);
    }

    void publish(Publisher& publisher, BundleRow row) const {
        if (!request_.dry_run) publisher.add(std::move(row));
    }

    void require_free_names(std::vector<std::string> const& paths) const {
        for (auto const& stream : request_.streams) {
            for (auto const& path : paths) {
                bool const is_taken = path == "/"
                                          ? ::access(("/" + stream->name()).c_str(), F_OK) == 0
                                          : path.substr(1, path.find('/', 1) - 1) == stream->name();
                if (!is_taken) continue;
                throw RepositoryError(RepositoryFailure::stream_failed,
                                      "stream \"" + stream->name() + "\": the name is taken by " +
                                          path + " at the root of the snapshot");
            }
        }
    }

    void require_one_source(std::vector<std::string> const& paths) const {
        bool const any =
            !request_.streams.empty() ||
            std::any_of(paths.begin(), paths.end(), [](std::string const& path) {
                return ::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_SYMLINK_NOFOLLOW) == 0;
            });
        if (any) return;
        throw SourceError(paths.empty() ? "" : paths[0],
                          paths.empty() ? "nothing to save: name a path or a stream"
                                        : paths[0] + ": none of the paths exists");
    }

    Repository& repository_;
    SnapshotRequest& request_;
    Progress& progress_;
    std::vector<std::string> named_;  // the request's paths, cleaned
    GcState log_;
    ClaimedChunks claimed_;
};

}  // namespace

SnapshotResult take_snapshot(Repository& repository, SnapshotRequest& request, Progress& progress) {
    auto const take = [&] { return Run(repository, request, progress).take(); };
    if (request.streams.empty()) return with_sound_index(repository, take);
    try {
        return take();
    } catch (IndexDamaged const&) {
        // What the streams gave is gone: a second attempt would save their remainder as a whole.
        repository.rebuild_index();
        throw RepositoryError(RepositoryFailure::failed,
                              "this machine's index was damaged; it is built anew, run it again");
    }
}

}  // namespace coffre
