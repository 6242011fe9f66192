// A snapshot from beginning to end: the stages and their order.
#include "engine/snapshot.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "engine/snapshot/chain.h"
#include "engine/snapshot/estimate.h"
#include "engine/snapshot/identify.h"
#include "engine/snapshot/pack.h"
#include "engine/snapshot/parent.h"
#include "engine/snapshot/publish.h"
#include "engine/snapshot/record.h"
#include "engine/snapshot/session.h"
#include "engine/snapshot/sources.h"
#include "engine/snapshot/streams.h"
#include "engine/snapshot/walk.h"
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

// The run of one session, from its announcement to its snapshot.
class Run {
public:
    Run(Repository& repository, SnapshotRequest& request, Progress& progress)
        : repository_(repository),
          request_(request),
          progress_(progress),
          paths_(source_paths(request)) {}

    SnapshotResult take() {
        announce();
        choose_parent();
        auto const estimate = begin_estimate();
        Publisher publisher(repository_, id_, claimed_);
        auto const reused = save_or_keep(publisher);
        snapshot_.finished_ns = now_ns();
        SnapshotResult result;
        result.unchanged = parent_ && snapshot_.failure_count == 0 &&
                           parent_->snapshot.root.digest == snapshot_.root.digest;
        if (!request_.dry_run && !(request_.skip_if_unchanged && result.unchanged)) {
            continue_chain(repository_, snapshot_);
            publisher.publish(snapshot_, reused);
            result.id = id_;
            remember_published(repository_, id_, snapshot_, log_, progress_);
        }
        result.snapshot = std::move(snapshot_);
        return result;
    }

private:
    // The session is announced before the log is read, so that a collector either waits for it or
    // has condemned before: docs/architecture.md, section "Commit".
    void announce() {
        auto const read_log = [&] { log_ = read_gc_log(repository_.store(), repository_.keys()); };
        if (mutant("log-before-session")) read_log();
        if (!request_.dry_run) session_.emplace(repository_.store(), repository_.keys());
        if (session_) id_ = session_->id();
        snapshot_ = describe(request_, paths_.outermost);
        if (!mutant("log-before-session")) read_log();
    }

    void choose_parent() {
        parent_ = find_parent(repository_, request_, snapshot_, log_, progress_);
        if (!parent_) return;
        snapshot_.parent = parent_->id;
        progress_.total_files = parent_->snapshot.statistics.files;
        progress_.total_bytes = parent_->snapshot.statistics.bytes;
    }

    std::unique_ptr<Estimate> begin_estimate() {
        if (parent_ || !progress_.wants_total) return nullptr;
        return std::make_unique<Estimate>(paths_.outermost, request_.exclude, progress_);
    }

    // Whatever ends the run, what is stored by then becomes known, so that the next run goes on.
    std::set<PackNumber> save_or_keep(Publisher& publisher) {
        try {
            return save(publisher);
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
    std::set<PackNumber> save(Publisher& publisher) {
        KeyRing const& keys = repository_.keys();
        SessionKeys const session_keys(keys);
        std::size_t const cores = worker_count(request_.threads);
        OrderedStage<OpenPack, BundleRow> put(
            uploads, 1, [&](OpenPack pack) { return store(std::move(pack)); },
            [&](BundleRow row) { publish(publisher, std::move(row)); });
        Packer packer(id_, session_keys, pack_target,
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
        read_paths(pool, hand_on);
        identified.finish();
        record.finish();
        encode.finish();
        packer.flush();
        put.finish();
        publisher.finish_packs();
        snapshot_.root = record.root();
        snapshot_.statistics = record.statistics();
        snapshot_.statistics.bytes_stored = packer.stored_bytes();
        return record.reused_packs();
    }

    void read_paths(std::shared_ptr<BufferPool> const& pool,
                    std::function<void(Batch)> const& hand_on) {
        Splitter split(repository_.chunker(), pool, hand_on);
        std::optional<ChunkReader> reader;
        std::optional<ParentTree> before;
        if (parent_) {
            reader.emplace(repository_, parent_cache);
            before.emplace(
                ParentTree{*reader, parent_->snapshot.root, parent_->snapshot.started_ns,
                           [&](Node const& node) { return may_inherit(*reader, node); }});
        }
        Walker walker(request_.exclude, before ? &*before : nullptr, split, progress_);
        walker.walk(paths_.outermost, paths_.named);
        snapshot_.failures = walker.failures();
        snapshot_.failure_count = walker.failure_count();
    }

    // Taking a file over is reuse: while a condemn record waits for its sweep, every chunk of it
    // must have a copy that is not condemned.
    bool may_inherit(ChunkReader& reader, Node const& node) const {
        if (!log_.ends_in_condemn || mutant("inherit-condemned")) return true;
        return is_usable(reader, log_, node.content);
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

    Repository& repository_;
    SnapshotRequest& request_;
    Progress& progress_;
    SourcePaths const paths_;
    std::optional<Session> session_;  // none in a dry run
    SessionId id_{};
    Snapshot snapshot_;
    GcState log_;
    std::optional<NamedSnapshot> parent_;
    ClaimedChunks claimed_;
};

}  // namespace

SnapshotResult take_snapshot(Repository& repository, SnapshotRequest& request, Progress& progress) {
    auto const take = [&] { return Run(repository, request, progress).take(); };
    if (request.streams.empty()) {
        try {
            return with_sound_index(repository, take);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::fenced) throw;
            progress.report_failure("", std::string(error.what()) + "; trying once more");
        }
        return with_sound_index(repository, take);
    }
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
