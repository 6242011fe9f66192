#include "engine/util/source_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/error.h"
#include "engine/util/fd.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr off_t block = 512;  // the unit of st_blocks
// Who writes to a file faster than it is read must not keep the walk from going on.
constexpr std::uint64_t most_growth = 64 * limits::mib;

// Smaller holes are read as zeros, as many as it takes to stay within the format's limit.
void keep_largest(std::vector<Hole>& holes, std::uint64_t& smallest_kept) {
    while (holes.size() > limits::holes_per_node) {
        smallest_kept *= 2;
        std::erase_if(holes, [&](Hole const& hole) { return hole.size < smallest_kept; });
    }
}

bool cannot_tell(int error) {
    return error == EINVAL || error == EOPNOTSUPP || error == ENOSYS || error == ENOTTY;
}

// The next offset of `kind` (SEEK_DATA, SEEK_HOLE) from `from` on; the file's size when there is
// none. Where the file system cannot tell, all is data.
off_t seek(int fd, off_t from, int kind, off_t size) {
    off_t const found = ::lseek(fd, from, kind);
    if (found >= 0) return std::min(found, size);
    if (errno == ENXIO || (cannot_tell(errno) && kind == SEEK_HOLE)) return size;
    if (cannot_tell(errno)) return from;
    throw SourceError("", "its holes cannot be found: " + errno_text());
}

// Holes touch when the block between them is punched while they are looked for: they are one then.
void add_hole(std::vector<Hole>& holes, Hole const& hole, std::uint64_t smallest_kept) {
    if (!holes.empty() && holes.back().offset + holes.back().size == hole.offset) {
        holes.back().size += hole.size;
    } else if (hole.size >= smallest_kept) {
        holes.push_back(hole);
    }
}

std::vector<Hole> find_holes(int fd, struct stat const& status) {
    std::vector<Hole> holes;
    if (!SourceFile::may_have_holes(status)) return holes;
    std::uint64_t smallest_kept = 1;
    for (off_t at = 0; at < status.st_size;) {
        off_t const hole = seek(fd, at, SEEK_HOLE, status.st_size);
        if (hole >= status.st_size) break;
        at = seek(fd, hole, SEEK_DATA, status.st_size);
        if (at == hole) return {};
        add_hole(holes, {static_cast<std::uint64_t>(hole), static_cast<std::uint64_t>(at - hole)},
                 smallest_kept);
        keep_largest(holes, smallest_kept);
    }
    return holes;
}

bool is_same(struct timespec const& a, struct timespec const& b) {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

bool SourceFile::may_have_holes(struct stat const& status) {
    return status.st_blocks * block < status.st_size;
}

SourceFile::SourceFile(int fd, struct stat const& status)
    : fd_(fd), before_(status), holes_(find_holes(fd, status)) {}

std::size_t SourceFile::read(std::span<std::byte> into) {
    std::size_t filled = 0;
    while (filled < into.size() && !has_outgrown()) {
        while (next_hole_ < holes_.size() && holes_[next_hole_].offset == at_) {
            at_ += holes_[next_hole_++].size;
        }
        std::size_t wanted = into.size() - filled;
        if (next_hole_ < holes_.size()) {
            wanted = std::min<std::uint64_t>(wanted, holes_[next_hole_].offset - at_);
        }
        std::size_t const size = read_some(into.subspan(filled, wanted));
        filled += size;
        at_ += size;
        // Most files are small: what is short right at the end is not asked again.
        bool const is_at_end = at_ == static_cast<std::uint64_t>(before_.st_size);
        if (size == 0 || (size < wanted && is_at_end)) {
            end_at(at_);
            break;
        }
    }
    return filled;
}

std::size_t SourceFile::read_some(std::span<std::byte> into) const {
    for (;;) {
        ssize_t const size = ::pread(fd_, into.data(), into.size(), static_cast<off_t>(at_));
        if (size >= 0) return static_cast<std::size_t>(size);
        if (errno != EINTR) throw SourceError("", errno_text());
    }
}

bool SourceFile::has_outgrown() const {
    return at_ > 2 * static_cast<std::uint64_t>(before_.st_size) + most_growth;
}

// The file became shorter: the holes that it had behind its end are gone.
void SourceFile::end_at(std::uint64_t offset) {
    std::erase_if(holes_, [&](Hole const& hole) { return hole.offset > offset; });
}

// A change whose mtime was put back shows in ctime, but so do another name, mode or owner, which
// leave the contents alone: a file that is replaced by rename is read whole.
bool SourceFile::has_changed() const {
    if (has_outgrown()) return true;
    struct stat after {};
    if (::fstat(fd_, &after) != 0) throw SourceError("", errno_text());
    if (after.st_size != before_.st_size || !is_same(after.st_mtim, before_.st_mtim)) return true;
    bool const is_explained = after.st_nlink != before_.st_nlink ||
                              after.st_mode != before_.st_mode || after.st_uid != before_.st_uid ||
                              after.st_gid != before_.st_gid;
    return !is_same(after.st_ctim, before_.st_ctim) && !is_explained;
}

}  // namespace coffre
