// Puts chunks into files, from several threads, and finishes a file when its last chunk is there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "engine/restore/metadata.h"
#include "engine/restore/page_joiner.h"
#include "engine/restore/sync_behind.h"
#include "engine/restore/target.h"
#include "engine/util/lru_cache.h"
#include "format/limits.h"

namespace coffre {

// A file that gets (some of) its contents. Lives until its last chunk is written.
struct RestoredFile {
    std::string path;                      // in the target
    std::optional<std::string> temporary;  // its path until it takes the place of what is there
    Node node;                             // without content
    std::optional<FileIdentity> identity;  // by opening; nothing until it is there
    bool is_new = true;
    std::mutex opening;
    // Chunks not written yet, plus one while more may be planned: whoever takes away the last one
    // finishes the file.
    std::atomic<std::uint64_t> remaining{1};
    std::atomic<bool> failed{false};

    std::string const& written_path() const { return temporary ? *temporary : path; }
};

struct FileWrite {
    std::shared_ptr<RestoredFile> file;
    std::uint64_t offset = 0;  // in the file's content: holes do not count
    ChunkId chunk;
    std::uint32_t size = 0;
};

class FileWriter {
public:
    // Arguments outlive this.
    FileWriter(Target const& target, Metadata& metadata, RestoreRequest const& request,
               Progress& progress)
        : target_(target),
          metadata_(metadata),
          request_(request),
          progress_(progress),
          sync_behind_([this] { target_.sync(); }, sync_step),
          open_files_(128) {}

    FileWriter(FileWriter const&) = delete;
    FileWriter& operator=(FileWriter const&) = delete;
    // What was to take the place of something else, and was not completed, is removed.
    ~FileWriter();

    // A new file is made by its first write, or when all of it is done. `bytes` may go on into the
    // file's next chunks, unless each may stay a hole of its own.
    void write(FileWrite const& to, ByteView bytes);
    bool takes_chunks_apart() const { return request_.sparse; }
    // One chunk of the file (or the plan's own share) is done.
    void release(RestoredFile& file);
    // The file's contents cannot be had.
    void mark_damaged(RestoredFile& file, std::string const& message);
    void mark_failed(RestoredFile& file, std::string const& message);

    // When all is released. Throws what a sync has failed with.
    void finish();

    std::uint64_t bytes_written() const { return bytes_written_; }
    // A file found no room: the others are given up, too.
    bool is_full() const { return is_full_; }
    std::vector<SourceFailure> damaged() const;
    std::vector<SourceFailure> failures() const;
    // Those of the failures whose contents are all there.
    std::set<std::string> only_metadata_failed() const;

private:
    // A file that is to take the place of what is at its path.
    struct Exchange {
        std::string temporary;
        FileIdentity identity;
        std::string path;
    };
    static constexpr std::uint64_t sync_step = 128 * limits::mib;
    static constexpr std::size_t most_exchanges = 256;
    static constexpr std::uint64_t exchanged_bytes = 128 * limits::mib;

    std::shared_ptr<Fd const> open(RestoredFile& file, std::uint64_t to_write);
    std::shared_ptr<Fd const> known(RestoredFile const& file);
    Fd open_again(RestoredFile const& file) const;
    Fd create(RestoredFile& file, std::uint64_t to_write);
    void set_size(RestoredFile const& file, Fd const& fd) const;
    void put(RestoredFile const& file, Fd const& fd, ByteView bytes, std::uint64_t offset);
    void put_past_cache(RestoredFile const& file, Fd const& fd, ByteView bytes,
                        std::uint64_t offset);
    void put_end(RestoredFile const& file, Fd const& fd, ByteView bytes, std::uint64_t offset);
    void put_waiting(RestoredFile& file);
    void complete(RestoredFile& file);
    void finish_file(RestoredFile& file, Fd const& fd);
    void exchange_later(RestoredFile const& file);
    void exchange_all();
    void note_not_exchanged(Exchange const& exchange, SourceError const& error);
    void note(std::vector<SourceFailure>& list, RestoredFile& file, std::string const& message);
    void note_failure(RestoredFile& file, SourceError const& error);
    void give_up(RestoredFile& file);

    Target const& target_;
    Metadata& metadata_;
    RestoreRequest const& request_;
    Progress& progress_;
    SyncBehind sync_behind_;
    PageJoiner joiner_;
    std::atomic<std::uint64_t> bytes_written_{0};
    std::atomic<bool> is_full_{false};
    mutable std::mutex mutex_;
    LruCache<RestoredFile const*, Fd> open_files_;     // by mutex_
    std::vector<SourceFailure> damaged_;               // by mutex_
    std::vector<SourceFailure> failures_;              // by mutex_
    std::set<std::string> only_metadata_failed_;       // by mutex_
    std::map<std::string, FileIdentity> temporaries_;  // by mutex_
    std::vector<Exchange> exchanges_;                  // by mutex_: complete
    std::uint64_t waiting_bytes_ = 0;                  // by mutex_: of these
    std::exception_ptr failed_sync_;                   // by mutex_: the first
};

}  // namespace coffre
