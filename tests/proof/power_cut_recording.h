// The life of a repository on a disk whose power can be cut, and what is found where it was.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <filesystem>
#include <set>

#include "power_cut_store.h"
#include "proof.h"

namespace coffre::proof {

// The files beneath a folder, by relative path.
using FolderCopy = std::map<std::string, std::string>;

inline FolderCopy copy_of(std::string const& folder) {
    FolderCopy copy;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(folder)) {
        if (!entry.is_regular_file() || entry.path().filename() == "lock.mdb") continue;
        std::string const path = entry.path().native();
        copy[path.substr(folder.size() + 1)] = read_file(path);
    }
    return copy;
}

inline void write_copy(FolderCopy const& copy, std::string const& folder) {
    for (auto const& [path, content] : copy) {
        std::filesystem::path const target = std::filesystem::path(folder) / path;
        make_folder(target.parent_path().native());
        write_file(target.native(), content);
    }
}

enum class Cache { fresh, first_machine, second_machine };

// A machine with a cache of its own, and what this cache was after each event.
struct RecordedMachine {
    std::shared_ptr<Backend> store;
    TempFolder cache;
    std::vector<std::shared_ptr<FolderCopy const>> copies;

    OpenOptions options() const { return {cache.path(), false}; }
    void note() {
        auto copy = std::make_shared<FolderCopy const>(copy_of(cache.path()));
        bool const same = !copies.empty() && *copies.back() == *copy;
        copies.push_back(same ? copies.back() : std::move(copy));
    }
};

// The life of a repository up to now, recorded on a disk that remembers.
class Recording {
public:
    explicit Recording(Mode mode) : mode_(mode) {
        for (auto& machine : machines_) machine.store = disk_.writer();
        disk_.on_event([this](unsigned writer) { heard(writer); });
    }

    void init() {
        InitOptions init;
        init.mode = mode_;
        init.chunker = {256, 1024, 4096};
        init_repository(machines_[0].store, init, credentials(), machines_[0].options());
        disk_.acknowledge("init");
    }
    // Some files are as before, some are not.
    void change_source() {
        ++version_;
        write_file(source_ / "same", compressible_text(1, 3000));
        write_file(source_ / "changes", random_bytes(version_, 9000));
        write_file(source_ / ("new " + std::to_string(version_)), random_bytes(100 + version_, 50));
    }
    void snapshot_on(unsigned machine, unsigned streams = 0) {
        auto const repository = open_on(machine, credentials());
        auto request = saving({source_.path()});
        request.threads = 1;
        if (streams != 0) request.streams.push_back(stream("dump", random_bytes(streams, 5000)));
        Progress progress;
        auto const taken = take_snapshot(*repository, request, progress);
        disk_.acknowledge(taken.id->hex());
    }
    // Machine 1 takes a whole snapshot after the `event`-th event of one on machine 0; false when
    // that has fewer.
    bool two_snapshots(std::size_t event) {
        return interrupt(
            event, [this] { snapshot_on(0); }, [this] { snapshot_on(1); });
    }
    // Any work on machine 0, and other work after its `event`-th event.
    bool interrupt(std::size_t event, std::function<void()> const& work,
                   std::function<void()> other) {
        other_work_ = std::move(other);
        interrupt_at_ = event;
        work();
        return std::exchange(interrupt_at_, 0) == 0;
    }
    void acknowledge(std::string name) { disk_.acknowledge(std::move(name)); }
    // What the repository holds at its end, by snapshot.
    void finish() { finish(credentials()); }
    void finish(Credentials const& credentials) {
        log_ = disk_.log();
        TempFolder const cache;
        tars_ = all_tars(*open_repository(machines_[0].store, credentials, {cache.path(), false}));
    }
    std::shared_ptr<Repository> open_on(unsigned machine, Credentials const& credentials) {
        return open_repository(machines_[machine].store, credentials, machines_[machine].options());
    }

    Credentials credentials() const {
        Credentials credentials;
        if (mode_ == Mode::encrypted) credentials.key_file = keys_ / "key";
        return credentials;
    }
    std::string const& key_folder() const { return keys_.path(); }
    Mode mode() const { return mode_; }
    std::size_t events() const { return disk_.log().size(); }
    DiskLog const& log() const { return log_; }
    std::map<std::string, std::string> const& tars() const { return tars_; }
    std::string const& source() const { return source_.path(); }
    // What the cache was after that many events; nothing when it is to be a fresh one.
    std::shared_ptr<FolderCopy const> cache(Cache cache, std::size_t events) const {
        if (events == 0 || cache == Cache::fresh) return nullptr;
        return machines_[cache == Cache::first_machine ? 0 : 1].copies[events - 1];
    }

private:
    void heard(unsigned writer) {
        std::unique_lock lock(mutex_);
        for (auto& machine : machines_) machine.note();
        if (writer != 0 || interrupt_at_ == 0 || --interrupt_at_ > 0) return;
        lock.unlock();
        other_work_();
    }

    Mode mode_;
    TempFolder source_;
    TempFolder keys_;
    unsigned version_ = 0;
    PowerCutDisk disk_;
    RecordedMachine machines_[2];
    std::mutex mutex_;
    std::size_t interrupt_at_ = 0;
    std::function<void()> other_work_;
    DiskLog log_;
    std::map<std::string, std::string> tars_;
};

// What is found where the power was cut.
class Aftermath {
public:
    Aftermath(Recording& recording, Cases& cases) : recording_(recording), cases_(cases) {}

    void examine(DiskState const& state, std::shared_ptr<FolderCopy const> const& cache) {
        bool const was_made = state.acknowledged.contains("init");
        auto const store = std::make_shared<MemoryBackend>();
        store->replace_all(state.objects);
        TempFolder const folder;
        if (cache) write_copy(*cache, folder.path());
        OpenOptions const options{folder.path(), false};
        auto const repository = store->stat(names::config)
                                    ? open_repository(store, recording_.credentials(), options)
                                    : make_again(store, options, was_made);
        expect_goes_on(*repository, state);
    }
    void expect_goes_on(Repository& repository, DiskState const& state) {
        auto tars = all_tars(repository);
        expect_whole(tars, state);
        auto const report = check(repository);
        cases_.expect(report.clean(), joined(report.errors));
        auto const next = save(repository, {recording_.source()});
        expect_next(repository, next, std::move(tars));
    }

    // Whatever is said of the repository is said of what the disk tore.
    void expect_torn_are_named(DiskState const& state) {
        auto const store = std::make_shared<MemoryBackend>();
        store->replace_all(state.objects);
        TempFolder const folder;
        try {
            auto const repository =
                open_repository(store, recording_.credentials(), {folder.path(), false});
            auto const report = check(*repository);
            for (auto const& message : report.errors) expect_names_torn(message, state);
            cases_.expect(!report.clean(), "a torn object goes unnoticed");
            expect_whole(all_tars(*repository), {});
        } catch (RepositoryError const& error) {
            cases_.add("in which a command was refused");
            expect_names_torn(error.what(), state);
        }
    }

private:
    void expect_names_torn(std::string const& message, DiskState const& state) {
        bool const named = std::any_of(state.torn.begin(), state.torn.end(),
                                       [&](auto const& name) { return contains(message, name); });
        cases_.expect(named, message);
    }
    std::shared_ptr<Repository> make_again(std::shared_ptr<Backend> const& store,
                                           OpenOptions const& options, bool was_made) {
        cases_.expect(!was_made, "the repository is gone");
        InitOptions init;
        init.mode = recording_.mode();
        return init_repository(store, init, recording_.credentials(), options);
    }
    // All that is listed is exact, and all that was acknowledged is listed.
    void expect_whole(std::map<std::string, std::string> const& tars, DiskState const& state) {
        for (auto const& [id, tar] : tars) {
            cases_.expect(recording_.tars().at(id) == tar,
                          "snapshot " + id + " has other contents");
        }
        for (auto const& id : state.acknowledged) {
            cases_.expect(!SessionId::parse(id) || tars.contains(id),
                          "snapshot " + id + " was acknowledged and is gone");
        }
    }
    void expect_next(Repository& repository, SnapshotResult const& next,
                     std::map<std::string, std::string> before) {
        auto const after = all_tars(repository);
        auto const found = after.find(next.id->hex());
        if (found == after.end()) return cases_.fail("the next snapshot is not listed");
        // The source is what it was at the recording's end.
        if (tar_.empty()) tar_ = found->second;
        cases_.expect(found->second == tar_, "the next snapshot has other contents");
        before[next.id->hex()] = found->second;
        cases_.expect(after == before, "the next snapshot changed others");
        if (++examined_ % restored_every == 0) expect_restores(repository, next.snapshot);
    }
    void expect_restores(Repository& repository, Snapshot const& snapshot) {
        cases_.add("restored to files");
        TempFolder const target;
        RestoreRequest request;
        request.from = {{}, snapshot, recording_.source()};
        request.target = target.path();
        request.threads = 1;
        Progress progress;
        restore_snapshot(repository, request, progress);
        cases_.expect(image_of(target.path()) == image_of(recording_.source()),
                      "the restored files differ");
    }

    static constexpr std::uint64_t restored_every = 25;
    Recording& recording_;
    Cases& cases_;
    std::uint64_t examined_ = 0;
    std::string tar_;  // of the source, as the first state's next snapshot saved it
};

}  // namespace coffre::proof
