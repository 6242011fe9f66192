#include "engine/restore/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/error.h"

namespace coffre {

namespace {

bool is_zero(ByteView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

std::shared_ptr<Fd const> FileWriter::open(RestoredFile const& file) {
    std::lock_guard const lock(mutex_);
    if (auto known = open_files_.find(&file)) return known;
    return open_files_.insert(&file, target_.open_file(file.path, O_WRONLY), 1);
}

void FileWriter::write(FileWrite const& to, ByteView bytes) {
    if (to.file->failed) return;
    progress_.bytes += bytes.size();
    bool const stays_hole = request_.sparse && to.file->is_new && is_zero(bytes);
    if (stays_hole) return;
    try {
        auto const fd = open(*to.file);
        if (!pwrite_full(fd->get(), bytes, static_cast<off_t>(to.offset))) {
            throw SourceError(to.file->path, "cannot write: " + errno_text());
        }
        bytes_written_ += bytes.size();
    } catch (SourceError const& error) {
        mark_failed(*to.file, error.what());
    }
}

void FileWriter::release(RestoredFile& file) {
    if (--file.remaining > 0) return;
    try {
        finish(file);
    } catch (SourceError const& error) {
        mark_failed(file, error.what());
    }
    ++progress_.files;
}

void FileWriter::finish(RestoredFile& file) {
    auto const fd = open(file);
    {
        std::lock_guard const lock(mutex_);
        open_files_.erase(&file);
    }
    if (file.failed) {
        // Better no file than one with wrong bytes; one that was there before is named, not
        // removed.
        if (file.is_new) target_.remove(file.path);
        return;
    }
    target_.apply(file.path, fd->get(), file.node);
}

void FileWriter::note(std::vector<SourceFailure>& list, RestoredFile& file,
                      std::string const& message) {
    if (file.failed.exchange(true)) return;
    std::lock_guard const lock(mutex_);
    list.push_back({file.path, message});
    if (progress_.on_failure) progress_.on_failure(file.path, message);
}

void FileWriter::mark_damaged(RestoredFile& file, std::string const& message) {
    note(damaged_, file, message);
}

void FileWriter::mark_failed(RestoredFile& file, std::string const& message) {
    note(failures_, file, message);
}

std::vector<SourceFailure> FileWriter::damaged() const {
    std::lock_guard const lock(mutex_);
    return damaged_;
}

std::vector<SourceFailure> FileWriter::failures() const {
    std::lock_guard const lock(mutex_);
    return failures_;
}

}  // namespace coffre
