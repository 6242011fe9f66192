#include "engine/restore/file_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/error.h"
#include "engine/restore/extents.h"
#include "engine/util/direct_write.h"
#include "format/mutant.h"

namespace coffre {

namespace {

bool is_zero(ByteView bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

}  // namespace

FileIdentity identity_of(Fd const& fd, std::string const& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) {
        throw SourceError(path, "cannot look at it: " + errno_text());
    }
    return {status.st_dev, status.st_ino};
}

// Whoever puts another file in its place meanwhile must not have that written to.
std::shared_ptr<Fd const> FileWriter::open(RestoredFile const& file) {
    std::lock_guard const lock(mutex_);
    if (auto known = open_files_.find(&file)) return known;
    Fd fd = target_.open_file(file.path, O_WRONLY);
    if (identity_of(fd, file.path) != file.identity && !mutant("write-to-exchanged")) {
        throw SourceError(file.path, "was exchanged while it was restored");
    }
    return open_files_.insert(&file, std::move(fd), 1);
}

void FileWriter::write(FileWrite const& to, ByteView bytes) {
    if (to.file->failed) return;
    progress_.bytes += bytes.size();
    bool const stays_hole = request_.sparse && to.file->is_new && is_zero(bytes);
    if (stays_hole) return;
    try {
        auto const fd = open(*to.file);
        auto const put = [&](std::uint64_t at, std::uint64_t begin, std::uint64_t size) {
            ByteView const part = bytes.subspan(begin, size);
            auto const write = to.file->is_new ? pwrite_past_cache : pwrite_full;
            if (write(fd->get(), part, static_cast<off_t>(at))) return;
            throw SourceError(to.file->path, "cannot write: " + errno_text());
        };
        each_extent(to.file->node.holes, to.offset, bytes.size(), put);
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
    metadata_.apply(file.path, fd->get(), file.node);
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

std::vector<SourceFailure> FileWriter::damaged() const {
    std::lock_guard const lock(mutex_);
    return damaged_;
}

std::vector<SourceFailure> FileWriter::failures() const {
    std::lock_guard const lock(mutex_);
    return failures_;
}

}  // namespace coffre
