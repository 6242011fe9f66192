#include "engine/restore/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/restore/extents.h"
#include "engine/restore/failure.h"
#include "engine/util/direct_write.h"
#include "engine/util/pages.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::uint64_t preallocate_from = limits::mib;
constexpr std::size_t past_cache_from = 256 * limits::kib;

void require_stored(RestoredFile const& file, bool is_stored) {
    if (!is_stored) fail_to_store(file.path, "write");
}

}  // namespace

std::shared_ptr<Fd const> FileWriter::open(RestoredFile& file, std::uint64_t to_write) {
    std::lock_guard const opening(file.opening);
    if (auto fd = known(file)) return fd;
    Fd fd = file.identity ? open_again(file) : create(file, to_write);
    std::lock_guard const lock(mutex_);
    return open_files_.insert(&file, std::move(fd), 1);
}

std::shared_ptr<Fd const> FileWriter::known(RestoredFile const& file) {
    std::lock_guard const lock(mutex_);
    return open_files_.find(&file);
}

// Whoever puts another file in its place meanwhile must not have that written to.
Fd FileWriter::open_again(RestoredFile const& file) const {
    Fd fd = target_.open_file(file.written_path(), O_WRONLY);
    if (identity_of(fd, file.path) != file.identity && !mutant("write-to-exchanged")) {
        throw SourceError(file.path, "was exchanged while it was restored");
    }
    return fd;
}

Fd FileWriter::create(RestoredFile& file, std::uint64_t to_write) {
    Fd fd = target_.create_file(file.written_path());
    file.identity = identity_of(fd, file.path);
    if (file.temporary) {
        std::lock_guard const lock(mutex_);
        temporaries_.emplace(*file.temporary, *file.identity);
    }
    if (to_write == file.node.size) return fd;
    try {
        set_size(file, fd);
    } catch (SourceError const&) {
        target_.remove_file(file.written_path(), *file.identity);
        file.identity.reset();
        throw;
    }
    return fd;
}

void FileWriter::set_size(RestoredFile const& file, Fd const& fd) const {
    Node const& node = file.node;
    auto const size = static_cast<off_t>(node.size);
    bool const preallocate =
        !request_.sparse && node.holes.empty() && node.size >= preallocate_from;
    bool ok = preallocate && ::fallocate(fd.get(), 0, 0, size) == 0;
    if (preallocate && !ok && errno == ENOSPC) {
        fail_to_store(file.path, "write");
    }
    if (!ok) ok = ::ftruncate(fd.get(), size) == 0;
    if (!ok) fail_to_store(file.path, "set the size");
}

void FileWriter::write(FileWrite const& to, ByteView bytes) {
    if (is_full_) give_up(*to.file);
    if (to.file->failed) return;
    progress_.bytes += bytes.size();
    bool const stays_hole = request_.sparse && to.file->is_new && is_zero(bytes);
    if (stays_hole) return;
    try {
        auto const fd = open(*to.file, bytes.size());
        each_extent(to.file->node.holes, to.offset, bytes.size(),
                    [&](std::uint64_t at, std::uint64_t begin, std::uint64_t size) {
                        put(*to.file, *fd, bytes.subspan(begin, size), at);
                    });
        bytes_written_ += bytes.size();
        sync_behind_.add(bytes.size());
    } catch (SourceError const& error) {
        note_failure(*to.file, error);
    }
}

void FileWriter::put(RestoredFile const& file, Fd const& fd, ByteView bytes, std::uint64_t offset) {
    if (file.is_new && bytes.size() >= past_cache_from) {
        return put_past_cache(file, fd, bytes, offset);
    }
    require_stored(file, pwrite_full(fd.get(), bytes, static_cast<off_t>(offset)));
}

void FileWriter::put_past_cache(RestoredFile const& file, Fd const& fd, ByteView bytes,
                                std::uint64_t offset) {
    auto const [head, pages] = page_shares(static_cast<off_t>(offset), bytes.size());
    put_end(file, fd, bytes.first(head), offset);
    require_stored(file, pwrite_pages_past_cache(fd.get(), bytes.subspan(head, pages),
                                                 static_cast<off_t>(offset + head)));
    put_end(file, fd, bytes.subspan(head + pages), offset + head + pages);
}

// While one writes a part of a page, through the cache, nobody else can write to the file.
void FileWriter::put_end(RestoredFile const& file, Fd const& fd, ByteView bytes,
                         std::uint64_t offset) {
    if (bytes.empty()) return;
    auto const now = joiner_.join(&file, {offset, Bytes(bytes.begin(), bytes.end())});
    if (!now) return;
    auto const write = now->bytes.size() == page_size ? pwrite_pages_past_cache : pwrite_full;
    require_stored(file, write(fd.get(), now->bytes, static_cast<off_t>(now->offset)));
}

void FileWriter::put_waiting(RestoredFile& file) {
    auto const pieces = joiner_.take(&file);
    if (file.failed || pieces.empty()) return;
    try {
        auto const fd = open(file, 0);
        for (auto const& piece : pieces) {
            require_stored(file,
                           pwrite_full(fd->get(), piece.bytes, static_cast<off_t>(piece.offset)));
        }
    } catch (SourceError const& error) {
        note_failure(file, error);
    }
}

void FileWriter::release(RestoredFile& file) {
    if (--file.remaining > 0) return;
    try {
        complete(file);
    } catch (SourceError const& error) {
        note_failure(file, error);
    }
    ++progress_.files;
}

void FileWriter::complete(RestoredFile& file) {
    put_waiting(file);
    auto const fd = file.failed ? nullptr : open(file, 0);
    {
        std::lock_guard const lock(mutex_);
        open_files_.erase(&file);
    }
    if (fd) return finish_file(file, *fd);
    // Better no file than one with wrong bytes; one that was there before is named, not removed.
    if (file.is_new && file.identity) target_.remove_file(file.written_path(), *file.identity);
}

// The contents are worth having also when its owner, say, cannot be set.
void FileWriter::finish_file(RestoredFile& file, Fd const& fd) {
    std::optional<SourceError> failure;
    try {
        metadata_.apply(file.path, fd.get(), file.node);
    } catch (SourceError const& error) {
        failure = error;
    }
    if (failure) {
        {
            std::lock_guard const lock(mutex_);
            only_metadata_failed_.insert(file.path);
        }
        note_failure(file, *failure);
    }
    if (file.temporary) exchange_later(file);
}

// The old one may be all that is left: the new one is on the disk before it goes. Many are synced
// at once.
void FileWriter::exchange_later(RestoredFile const& file) {
    {
        std::lock_guard const lock(mutex_);
        exchanges_.push_back({*file.temporary, *file.identity, file.path});
        waiting_bytes_ += file.node.size;
        if (exchanges_.size() < most_exchanges && waiting_bytes_ < exchanged_bytes) return;
    }
    exchange_all();
}

void FileWriter::exchange_all() {
    std::vector<Exchange> ready;
    {
        std::lock_guard const lock(mutex_);
        ready = std::exchange(exchanges_, {});
        waiting_bytes_ = 0;
    }
    if (ready.empty()) return;
    try {
        target_.sync();
    } catch (SourceError const& error) {
        for (auto const& exchange : ready) note_not_exchanged(exchange, error);
        // It may be of other files, and the system tells it but once.
        std::lock_guard const lock(mutex_);
        if (!failed_sync_) failed_sync_ = std::current_exception();
        return;
    }
    for (auto const& exchange : ready) {
        try {
            // Others sync as well, and the kernel tells one of them only what was not written.
            Fd const file = target_.open_own(exchange.temporary);
            if (::fdatasync(file.get()) != 0) fail_to_store(exchange.path, "write");
            target_.take_over_labels(exchange.path, file);
            target_.put_in_place(exchange.temporary, exchange.identity, exchange.path);
            std::lock_guard const lock(mutex_);
            temporaries_.erase(exchange.temporary);
        } catch (SourceError const& error) {
            note_not_exchanged(exchange, error);
        }
    }
}

void FileWriter::note_not_exchanged(Exchange const& exchange, SourceError const& error) {
    if (dynamic_cast<NoRoomError const*>(&error) != nullptr) is_full_ = true;
    std::lock_guard const lock(mutex_);
    progress_.report_failure(exchange.path, error.what());
    // Counted already, if its metadata could not be set.
    if (only_metadata_failed_.erase(exchange.path) == 0)
        failures_.push_back({exchange.path, error.what()});
}

void FileWriter::finish() {
    exchange_all();
    sync_behind_.finish();
    if (failed_sync_ && !is_full_) std::rethrow_exception(failed_sync_);
}

FileWriter::~FileWriter() {
    for (auto const& [path, identity] : temporaries_) {
        try {
            target_.remove_file(path, identity);
        } catch (SourceError const&) {
            // The next snapshot tells of it.
        }
    }
}

void FileWriter::note(std::vector<SourceFailure>& list, RestoredFile& file,
                      std::string const& message) {
    if (file.failed.exchange(true)) return;
    std::lock_guard const lock(mutex_);
    list.push_back({file.path, message});
    progress_.report_failure(file.path, message);
}

void FileWriter::mark_damaged(RestoredFile& file, std::string const& message) {
    note(damaged_, file, message);
}

void FileWriter::mark_failed(RestoredFile& file, std::string const& message) {
    note(failures_, file, message);
}

void FileWriter::note_failure(RestoredFile& file, SourceError const& error) {
    bool const no_room = dynamic_cast<NoRoomError const*>(&error) != nullptr;
    if (no_room && is_full_.exchange(true)) return give_up(file);
    mark_failed(file, error.what());
}

// When nothing more can be written. That one file has no room is said already; one that was there
// before is named all the same, since a part of it may be rewritten.
void FileWriter::give_up(RestoredFile& file) {
    if (!file.is_new) return mark_failed(file, "is not written to its end: there is no room");
    file.failed = true;
}

std::vector<SourceFailure> FileWriter::damaged() const {
    std::lock_guard const lock(mutex_);
    return damaged_;
}

std::set<std::string> FileWriter::only_metadata_failed() const {
    std::lock_guard const lock(mutex_);
    return only_metadata_failed_;
}

std::vector<SourceFailure> FileWriter::failures() const {
    std::lock_guard const lock(mutex_);
    return failures_;
}

}  // namespace coffre
