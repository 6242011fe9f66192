// What engine tests are written in: a repository in memory, source trees in temporary folders, and
// comparisons of whole trees.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/backend/decorators.h"
#include "engine/backend/memory.h"
#include "engine/check.h"
#include "engine/repository/names.h"
#include "engine/repository/repository.h"
#include "engine/restore.h"
#include "engine/snapshot.h"
#include "engine/snapshots.h"
#include "format/gc_log.h"

namespace coffre::test {

// An empty folder, removed with its owner.
class TempFolder {
public:
    TempFolder();
    TempFolder(TempFolder const&) = delete;
    TempFolder& operator=(TempFolder const&) = delete;
    ~TempFolder();

    std::string const& path() const { return path_; }
    std::string operator/(std::string const& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

void write_file(std::string const& path, std::string_view content);
std::string read_file(std::string const& path);
void make_folder(std::string const& path);  // and those above it
// Files with the folders that their paths name, each file holding its own path.
void write_tree(std::string const& folder, std::vector<std::string> const& files);
void make_symlink(std::string const& path, std::string const& target);
void set_mode(std::string const& path, unsigned mode);
void set_mtime(std::string const& path, std::int64_t seconds, long nanoseconds);

// The same for the same seed, on every machine.
std::string random_bytes(unsigned seed, std::size_t size);
std::string compressible_text(unsigned seed, std::size_t size);

// Each entry beneath a folder, by relative path: kind, mode, mtime, and target or contents (their
// size and a hash).
using TreeImage = std::map<std::string, std::string>;
TreeImage image_of(std::string const& folder);
// Without the entries at and beneath `path`.
TreeImage without(TreeImage image, std::string const& path);

// A small tree with one of everything: see the definition.
void write_rich_tree(std::string const& folder);

// A stream out of memory; with a message, its source says at the end that it failed.
class TextStream final : public StreamSource {
public:
    TextStream(std::string name, std::string content, std::string failure = "")
        : name_(std::move(name)), content_(std::move(content)), failure_(std::move(failure)) {}
    std::string const& name() const override { return name_; }
    std::size_t read(std::span<std::byte> into) override;
    void finish() override;

private:
    std::string name_;
    std::string content_;
    std::string failure_;
    std::size_t at_ = 0;
};

SnapshotRequest saving(std::vector<std::string> paths);
std::unique_ptr<StreamSource> stream(std::string name, std::string content);

// A repository in memory, open, with a cache folder of its own.
class TestRepo {
public:
    using Observer = ObservedBackend::Observer;

    explicit TestRepo(Mode mode = Mode::none, ChunkerSizes const& sizes = {});
    TestRepo(TestRepo const&) = delete;
    TestRepo& operator=(TestRepo const&) = delete;
    ~TestRepo() = default;

    Repository& operator*() { return *repository_; }
    Repository* operator->() { return repository_.get(); }
    MemoryBackend& store() { return store_; }
    // As the repository opens it; `observe` is asked before each call.
    std::shared_ptr<Backend> observed() { return observed_; }
    void observe(Observer observer) { observer_ = std::move(observer); }
    void observe_nothing() { observer_ = nullptr; }

    Credentials credentials() const;
    OpenOptions options() {
        return {cache_->path(), false, [this](auto const& text) { warnings_.push_back(text); }};
    }
    // What the repository said of itself since this was made.
    std::vector<std::string> const& warnings() const { return warnings_; }
    std::string index_file() const;

    void close() { repository_.reset(); }
    // As the next run on this machine, and as the first one on another machine.
    void reopen();
    void reopen_elsewhere();
    // As another machine sees it, which nobody observes, with `cache` as its cache folder. Both
    // outlive it.
    std::shared_ptr<Repository> on_other_machine(TempFolder const& cache);
    // Back to what `objects` holds, on a machine that has never seen the repository.
    void reset_to(std::map<std::string, Bytes> objects);

    SnapshotResult take(SnapshotRequest request);
    SnapshotResult save(std::string const& path) { return take(saving({path})); }
    // Moves the moment that the snapshot says it started at: files that are older by more than 2 s
    // then need no reading in the next one, all others do.
    void move_start(SnapshotResult const& taken, std::int64_t seconds);
    void settle(SnapshotResult const& taken) { move_start(taken, 10); }

    FoundSnapshot find(std::string const& name) { return find_snapshot(*repository_, name, {}); }
    RestoreResult restore(RestoreRequest const& request);
    // Restores what is at `path` of the snapshot into an empty folder; nothing may go wrong.
    TreeImage restored(Snapshot const& snapshot, std::string const& path);
    std::string dumped(Snapshot const& snapshot, std::string const& path);
    // The snapshot's whole tree as tar: equal when contents and metadata are.
    std::string tar_of(Snapshot const& snapshot, std::string const& path = "");
    std::vector<std::string> ids();
    CheckReport check(CheckDepth depth = CheckDepth::structure);
    std::vector<std::string> errors(CheckDepth depth = CheckDepth::structure) {
        return check(depth).errors;
    }

    void put(std::string const& name, ByteView bytes);
    void append_log(LogRecord const& record);
    void put_log(std::uint64_t number, LogRecord const& record);
    // Names of the objects that start with `prefix`.
    std::vector<std::string> objects(std::string const& prefix = "");

private:
    MemoryBackend store_;
    Observer observer_;
    std::shared_ptr<Backend> observed_;
    std::unique_ptr<TempFolder> keys_;
    std::unique_ptr<TempFolder> cache_;
    Mode mode_;
    std::shared_ptr<Repository> repository_;
    std::vector<std::string> warnings_;
};

// The kind of the RepositoryError that `action` throws; nothing when it throws none.
template <class Action>
std::optional<RepositoryFailure> failure_of(Action const& action) {
    try {
        action();
        return std::nullopt;
    } catch (RepositoryError const& error) {
        return error.kind();
    }
}

// Its message; empty when it throws none.
template <class Action>
std::string message_of(Action const& action) {
    try {
        action();
        return "";
    } catch (RepositoryError const& error) {
        return error.what();
    }
}

bool contains(std::string const& text, std::string const& part);
bool any_contains(std::vector<std::string> const& texts, std::string const& part);

// Runs a program through the shell; its standard output. Fails the test when it does not exit with
// 0.
std::string run_command(std::string const& command);

}  // namespace coffre::test
