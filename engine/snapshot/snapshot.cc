// A snapshot from beginning to end: the stages and their order.
#include "engine/snapshot.h"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>

#include "engine/repository/forgets.h"
#include "engine/repository/session.h"
#include "engine/snapshot/chain.h"
#include "engine/snapshot/estimate.h"
#include "engine/snapshot/parent.h"
#include "engine/snapshot/save.h"
#include "engine/snapshot/sources.h"
#include "engine/snapshot/streams.h"
#include "engine/snapshot/walk.h"
#include "engine/util/clock.h"
#include "engine/util/host.h"
#include "engine/util/workers.h"
#include "engine/version.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr char const* missed_stream =
    "is empty, and was not before: did its command fail? If it is meant to be, save it once with "
    "--force";

constexpr unsigned most_looking_ahead = 4;

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

enum class EarlierTrees { trusted, distrusted };

// The run of one session, from its announcement to its snapshot.
class Run {
public:
    Run(Repository& repository, SnapshotRequest& request, Progress& progress, EarlierTrees trees)
        : repository_(repository),
          request_(request),
          progress_(progress),
          trees_(trees),
          paths_(source_paths(request)) {}

    // After a failure: whether it was met while the parent was compared with, and all can be begun
    // anew. What streams have given is gone.
    bool may_do_without_parent() const { return parent_ && !publishes_ && !reads_streams_; }

    SnapshotResult take() {
        progress_.restart();
        announce();
        choose_parent();
        if (!request_.streams.empty()) try_parent();
        auto const estimate = begin_estimate();
        Publisher publisher(repository_, id_, claimed_);
        auto const reused = save(publisher);
        snapshot_.finished_ns = now_ns();
        SnapshotResult result;
        result.unchanged = is_of_parents_group() && snapshot_.failure_count == 0 &&
                           parent_->snapshot.root.digest == snapshot_.root.digest;
        // One that is incomplete would stay the newest.
        bool const is_enough =
            request_.skip_if_unchanged && result.unchanged && parent_->snapshot.failure_count == 0;
        if (!request_.dry_run && !is_enough) {
            publishes_ = true;
            continue_chain(repository_, snapshot_);
            if (request_.only_mends) put_forgets(repository_, {id_}, reason_of_repair);
            publisher.publish(snapshot_, reused);
            session_->has_published(progress_);
            result.id = id_;
            remember_published(repository_, id_, snapshot_, log_, progress_);
            note_whole(repository_, generation_, id_, snapshot_.parent);
        }
        result.snapshot = std::move(snapshot_);
        result.left_out = std::move(left_out_);
        result.beside = std::move(beside_);
        result.spared = std::move(spared_);
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
        generation_ = repository_.index_generation();
        if (trees_ == EarlierTrees::distrusted) distrust_trees(repository_, log_);
        if (!parent_) return;
        snapshot_.parent = parent_->id;
        if (!is_of_parents_group()) return;
        progress_.total_files = parent_->snapshot.statistics.files;
        progress_.total_bytes = parent_->snapshot.statistics.bytes;
    }

    bool is_of_parents_group() const {
        return parent_ && parent_->snapshot.paths == snapshot_.paths;
    }

    // Reads all that the walk may read of the parent: once the streams are read, damage is too late
    // to be done without it.
    void try_parent() {
        if (!parent_ || paths_.outermost.empty()) return;
        ChunkReader reader(repository_, tree_cache);
        walk_snapshot(repository_, parent_->snapshot, "",
                      [&](std::string const&, Node const& node) {
                          progress_.check_stop();
                          if (node.is_file()) may_inherit(reader, node);
                          return true;
                      });
    }

    std::unique_ptr<Estimate> begin_estimate() {
        if (is_of_parents_group() || !progress_.wants_total) return nullptr;
        return std::make_unique<Estimate>(paths_.outermost, request_.exclude, progress_);
    }

    Census save(Publisher& publisher) {
        SaveOptions const options{id_, request_.compression_level, request_.threads,
                                  request_.dry_run};
        auto saved = Saving(repository_, log_, claimed_, publisher)
                         .save(options, [&](auto const& pool, auto const& hand_on) {
                             auto const filled = streams_with_contents();
                             reads_streams_ = !request_.streams.empty();
                             auto const missed =
                                 read_streams(request_.streams, filled, repository_.chunker(),
                                              {pool, hand_on}, progress_);
                             read_paths(pool, hand_on, missed);
                         });
        snapshot_.root = std::move(saved.root);
        snapshot_.statistics = saved.statistics;
        return std::move(saved.reused);
    }

    // Of the parent; one that should not have been empty has some.
    std::set<std::string> streams_with_contents() {
        std::set<std::string> filled;
        if (!parent_) return filled;
        ChunkReader reader(repository_, tree_cache);
        for (auto const& stream : request_.streams) {
            auto const before = find_node(reader, parent_->snapshot.root, stream->name());
            bool const has_some = before && before->is_file() &&
                                  (before->size > 0 || (before->flags & node_flags::unstable) != 0);
            if (has_some) filled.insert(stream->name());
        }
        return filled;
    }

    void read_paths(std::shared_ptr<PagePool> const& pool,
                    std::function<void(Batch)> const& hand_on,
                    std::set<std::string> const& missed_streams) {
        Splitter split(repository_.chunker(), pool, hand_on);
        std::optional<ChunkReader> reader;
        std::optional<ParentTree> before;
        if (parent_) {
            reader.emplace(repository_, tree_cache);
            before.emplace(
                ParentTree{*reader, parent_->snapshot.root, parent_->snapshot.started_ns,
                           [&](Node const& node) { return may_inherit(*reader, node); }});
        }
        LookAhead ahead(std::min(worker_count(request_.threads) - 1, most_looking_ahead));
        Walker walker(request_.exclude, before ? &*before : nullptr, ahead, split, progress_);
        walker.walk(paths_.outermost, paths_.named);
        Failures& failures = walker.failures();
        for (auto const& stream : missed_streams) failures.add("/" + stream, missed_stream);
        snapshot_.failures = failures.list();
        snapshot_.failure_count = failures.count();
        left_out_ = walker.left_out();
        beside_ = walker.beside();
        spared_ = walker.spared();
    }

    // Taking a file over is reuse: while a condemn record waits for its sweep, every chunk of it
    // must have a copy that is not condemned.
    bool may_inherit(ChunkReader& reader, Node const& node) const {
        if (!log_.ends_in_condemn || mutant("inherit-condemned")) return true;
        return is_usable(reader, log_, node.content);
    }

    Repository& repository_;
    SnapshotRequest& request_;
    Progress& progress_;
    EarlierTrees const trees_;
    SourcePaths const paths_;
    std::optional<Session> session_;  // none in a dry run
    SessionId id_{};
    Snapshot snapshot_;
    GcState log_;
    std::optional<NamedSnapshot> parent_;
    std::uint64_t generation_ = 0;  // of the index in which the parent is whole
    ClaimedChunks claimed_;
    std::string left_out_;
    std::string beside_;
    std::vector<std::string> spared_;
    bool publishes_ = false;
    bool reads_streams_ = false;
};

// Trees that turn out to be damaged are no reason to save nothing: they are made anew.
SnapshotResult take_once(Repository& repository, SnapshotRequest& request, Progress& progress) {
    Run run(repository, request, progress, EarlierTrees::trusted);
    try {
        return run.take();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt || !run.may_do_without_parent()) throw;
        progress.report_failure("", std::string(error.what()) +
                                        "; every file is read, and its folders are stored again");
    }
    request.parent = ParentChoice::none;
    return Run(repository, request, progress, EarlierTrees::distrusted).take();
}

// A second attempt would save the remainder of a stream as a whole: false when one cannot begin
// anew.
bool restart_streams(SnapshotRequest const& request) {
    return std::all_of(request.streams.begin(), request.streams.end(),
                       [](auto const& stream) { return stream->restart(); });
}

SnapshotResult take_with_sound_index(Repository& repository, SnapshotRequest& request,
                                     Progress& progress) {
    try {
        return take_once(repository, request, progress);
    } catch (IndexDamaged const&) {
        repository.rebuild_index();
        if (!restart_streams(request)) {
            throw RepositoryError(
                RepositoryFailure::failed,
                "this machine's index was damaged; it is built anew, run it again");
        }
    }
    return with_index([&] { return take_once(repository, request, progress); });
}

}  // namespace

SnapshotResult take_snapshot(Repository& repository, SnapshotRequest& request, Progress& progress) {
    auto const take = [&] { return take_with_sound_index(repository, request, progress); };
    try {
        return take();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::fenced || !restart_streams(request)) throw;
        progress.report_failure("", std::string(error.what()) + "; trying once more");
    }
    return take();
}

}  // namespace coffre
