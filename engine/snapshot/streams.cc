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

void read_stream(StreamSource& stream, std::size_t lane, Splitter& split, Progress& progress) {
    split.add(BeginFile{lane, stream_node(stream.name()), true});
    split.add_bytes(lane, [&](std::span<std::byte> into) {
        progress.check_stop();
        std::size_t const size = stream.read(into);
        progress.bytes += size;
        return size;
    });
    stream.finish();
    split.add(EndFile{lane, false, 0});
    split.flush();
    ++progress.files;
}

}  // namespace

void read_streams(std::vector<std::unique_ptr<StreamSource>> const& streams, Chunker const& chunker,
                  std::shared_ptr<BufferPool> const& pool,
                  std::function<void(Batch)> const& hand_on, Progress& progress) {
    check_names(streams);
    std::mutex mutex;
    auto const hand_on_alone = [&](Batch batch) {
        std::lock_guard const lock(mutex);
        hand_on(std::move(batch));
    };
    std::atomic<std::size_t> running{streams.size()};
    std::mutex failure_mutex;
    std::exception_ptr first_failure;  // by failure_mutex
    std::atomic<bool> has_failed{false};
    {
        std::vector<std::jthread> readers;
        for (std::size_t i = 0; i < streams.size(); ++i) {
            readers.emplace_back([&, i] {
                try {
                    Splitter split(chunker, pool, hand_on_alone);
                    read_stream(*streams[i], i + 1, split, progress);
                } catch (...) {
                    std::lock_guard const lock(failure_mutex);
                    if (!first_failure) first_failure = std::current_exception();
                    has_failed = true;
                }
                --running;
            });
        }
        // All or nothing: when one fails, or the user stops, the others need not go on.
        while (running > 0) {
            if (has_failed || progress.stop) {
                for (auto const& stream : streams) stream->cancel();
            }
            std::this_thread::sleep_for(watch_interval);
        }
    }
    progress.check_stop();
    if (first_failure) std::rethrow_exception(first_failure);
}

}  // namespace coffre
