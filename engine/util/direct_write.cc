#include "engine/util/direct_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>

#include "engine/util/fd.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t smallest = limits::mib;
constexpr std::size_t smallest_part = 256 * std::size_t{1024};
constexpr std::size_t part = 4 * limits::mib;
constexpr std::size_t alignment = 4096;  // a multiple of what disks ask for

struct FreeAligned {
    void operator()(std::byte* memory) const {
        ::operator delete[](memory, std::align_val_t{alignment});
    }
};

std::span<std::byte> aligned_buffer() {
    thread_local std::unique_ptr<std::byte[], FreeAligned> const buffer(
        new (std::align_val_t{alignment}) std::byte[part]);
    return {buffer.get(), part};
}

bool set_direct(int fd, bool direct) {
    int const flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

std::size_t aligned(std::size_t size) {
    return (size + alignment - 1) / alignment * alignment;
}

// Up to the alignment with zeros, which are cut off in the end.
bool write_piece(int fd, ByteView piece, std::span<std::byte> buffer) {
    std::size_t const size = aligned(piece.size());
    std::memcpy(buffer.data(), piece.data(), piece.size());
    std::memset(buffer.data() + piece.size(), 0, size - piece.size());
    return write_full(fd, buffer.first(size));
}

bool write_through_cache(int fd, ByteView bytes, std::size_t from) {
    return set_direct(fd, false) && ::lseek(fd, static_cast<off_t>(from), SEEK_SET) >= 0 &&
           write_full(fd, bytes.subspan(from));
}

// Whole pages, from a page's begin on.
bool pwrite_pages(int fd, ByteView pages, off_t offset) {
    auto const buffer = aligned_buffer();
    // A descriptor of its own: other threads write to this one.
    std::string const self = "/proc/self/fd/" + std::to_string(fd);
    Fd const direct(::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
    if (!direct) return pwrite_full(fd, pages, offset);
    for (std::size_t at = 0; at < pages.size(); at += part) {
        auto const piece = buffer.first(std::min(part, pages.size() - at));
        std::memcpy(piece.data(), pages.data() + at, piece.size());
        off_t const to = offset + static_cast<off_t>(at);
        if (pwrite_full(direct.get(), piece, to)) continue;
        return errno == EINVAL && pwrite_full(fd, pages.subspan(at), to);
    }
    return true;
}

}  // namespace

bool write_past_cache(int fd, ByteView bytes) {
    if (bytes.size() < smallest || !set_direct(fd, true)) {
        return write_full(fd, bytes);
    }
    auto const buffer = aligned_buffer();
    for (std::size_t at = 0; at < bytes.size(); at += part) {
        if (write_piece(fd, bytes.subspan(at, std::min(part, bytes.size() - at)), buffer)) continue;
        // Some file systems let a file be set so and refuse to write then.
        return errno == EINVAL && write_through_cache(fd, bytes, at);
    }
    return ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0;
}

bool pwrite_past_cache(int fd, ByteView bytes, off_t offset) {
    if (bytes.size() < smallest_part) return pwrite_full(fd, bytes, offset);
    auto const start = static_cast<std::size_t>(offset);
    std::size_t const head = aligned(start) - start;
    std::size_t const pages = (bytes.size() - head) / alignment * alignment;
    off_t const body = offset + static_cast<off_t>(head);
    return pwrite_full(fd, bytes.first(head), offset) &&
           pwrite_pages(fd, bytes.subspan(head, pages), body) &&
           pwrite_full(fd, bytes.subspan(head + pages), body + static_cast<off_t>(pages));
}

}  // namespace coffre
