#include "engine/snapshot/streams.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <set>
#include <thread>

#include "engine/error.h"
#include "engine/util/clock.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr auto watch_interval = std::chrono::milliseconds(5);

Node stream_node(std::string const& name) {
    Node node;
    node.name = name;
    node.kind = NodeKind::file;
    node.flags = node_flags::stream;
    node.mode = 0600;
    node.uid = ::geteuid();
    node.gid = ::getegid();
    std::int64_t const now = now_ns();
    node.mtime = {now / 1'000'000'000, static_cast<std::uint32_t>(now % 1'000'000'000)};
    node.ctime = node.mtime;
    return node;
}

void check_names(std::vector<std::unique_ptr<StreamSource>> const& streams) {
    std::set<std::string> seen;
    for (auto const& stream : streams) {
        std::string const& name = stream->name();
        bool const bad = name.empty() || name == "." || name == ".." ||
                         name.size() > limits::name_size || name.find('/') != std::string::npos ||
                         !seen.insert(name).second;
        if (bad) {
            throw RepositoryError(RepositoryFailure::stream_failed,
                                  "stream \"" + name +
                                      "\": the name must be one component of a "
                                      "path, and no other stream's");
        }
    }
}

RepositoryError no_thread(std::string const& stream, std::exception const& error) {
    return {RepositoryFailure::failed,
            "stream \"" + stream + "\": no thread to read it: " + error.what()};
}

// Returns its size. `is_missed`: it would not be empty.
std::uint64_t read_stream(StreamSource& stream, std::size_t lane, bool is_missed, Splitter& split,
                          Progress& progress) {
    std::uint64_t total = 0;
    split.add(BeginFile{lane, stream_node(stream.name()), true});
    split.add_bytes(lane, [&](std::span<std::byte> into) {
        progress.check_stop();
        std::size_t const size = stream.read(into);
        progress.bytes += size;
        total += size;
        return size;
    });
    if (!mutant("ignore-failed-stream")) stream.finish();
    split.add(EndFile{lane, false, is_missed && total == 0 ? node_flags::unstable : 0});
    split.flush();
    ++progress.files;
    return total;
}

// Reads streams on threads; the first failure, or the user's stop, ends them all.
class StreamReaders {
public:
    StreamReaders(std::vector<std::unique_ptr<StreamSource>> const& streams, Progress& progress)
        : streams_(streams), progress_(progress) {}

    // Calls `read(i)` for each stream on a thread of its own. All have ended when it returns.
    void run(std::function<void(std::size_t)> const& read) {
        std::vector<std::jthread> readers(streams_.size());
        for (std::size_t i = 0; i < streams_.size() && !has_failed_; ++i) {
            ++running_;
            readers[i] = start(i, read);
        }
        for (; running_ > 0; std::this_thread::sleep_for(watch_interval)) {
            if (has_failed_ || progress_.stop) cancel();
        }
    }
    void rethrow_failure() const {
        if (failure_) std::rethrow_exception(failure_);
    }

private:
    // A reader that cannot be started has failed.
    std::jthread start(std::size_t i, std::function<void(std::size_t)> const& read) {
        try {
            return std::jthread([this, i, &read] { run_one([&] { read(i); }); });
        } catch (std::exception const& error) {
            run_one([&] { throw no_thread(streams_[i]->name(), error); });
            return {};
        }
    }
    template <class Action>
    void run_one(Action const& action) {
        try {
            action();
        } catch (...) {
            std::lock_guard const lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            has_failed_ = true;
        }
        --running_;
    }
    void cancel() {
        for (auto const& stream : streams_) stream->cancel();
    }

    std::vector<std::unique_ptr<StreamSource>> const& streams_;
    Progress& progress_;
    std::atomic<std::size_t> running_{0};
    std::atomic<bool> has_failed_{false};
    std::mutex mutex_;
    std::exception_ptr failure_;  // by mutex_ until all have ended
};

}  // namespace

std::set<std::string> read_streams(std::vector<std::unique_ptr<StreamSource>> const& streams,
                                   std::set<std::string> const& filled, Chunker const& chunker,
                                   StreamTarget const& to, Progress& progress) {
    check_names(streams);
    std::set<std::string> missed;
    std::mutex mutex;
    auto const hand_on_alone = [&](Batch batch) {
        std::lock_guard const lock(mutex);
        to.hand_on(std::move(batch));
    };
    StreamReaders readers(streams, progress);
    readers.run([&](std::size_t i) {
        Splitter split(chunker, to.pool, hand_on_alone);
        std::string const name = streams[i]->name();
        bool const is_missed = filled.contains(name);
        auto const size = read_stream(*streams[i], i + 1, is_missed, split, progress);
        std::lock_guard const lock(mutex);
        if (is_missed && size == 0) missed.insert(name);
    });
    progress.check_stop();
    readers.rethrow_failure();
    return missed;
}

}  // namespace coffre
