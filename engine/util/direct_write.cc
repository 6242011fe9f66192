#include "engine/util/direct_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/util/fd.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t smallest = limits::mib;
constexpr std::size_t part = 4 * limits::mib;
constexpr std::size_t alignment = 4096;  // a multiple of what disks ask for

struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
};

std::span<std::byte> aligned_buffer() {
    thread_local std::unique_ptr<std::byte, Free> const buffer(
        static_cast<std::byte*>(std::aligned_alloc(alignment, part)));
    return {buffer.get(), buffer ? part : 0};
}

bool set_direct(int fd, bool direct) {
    int const flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 &&
           ::fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

// A piece of the file through `buffer`, filled up to the alignment with zeros.
bool write_piece(int fd, ByteView piece, std::span<std::byte> buffer) {
    std::size_t const size = (piece.size() + alignment - 1) / alignment * alignment;
    std::memcpy(buffer.data(), piece.data(), piece.size());
    std::memset(buffer.data() + piece.size(), 0, size - piece.size());
    return write_full(fd, buffer.first(size));
}

bool write_through_cache(int fd, ByteView bytes, std::size_t from) {
    return set_direct(fd, false) && ::lseek(fd, static_cast<off_t>(from), SEEK_SET) >= 0 &&
           write_full(fd, bytes.subspan(from));
}

}  // namespace

bool write_past_cache(int fd, ByteView bytes) {
    auto const buffer = aligned_buffer();
    if (bytes.size() < smallest || buffer.empty() || !set_direct(fd, true)) {
        return write_full(fd, bytes);
    }
    for (std::size_t at = 0; at < bytes.size(); at += part) {
        if (write_piece(fd, bytes.subspan(at, std::min(part, bytes.size() - at)), buffer)) continue;
        // Some file systems let a file be set so and refuse to write then.
        return errno == EINVAL && write_through_cache(fd, bytes, at);
    }
    return ::ftruncate(fd, static_cast<off_t>(bytes.size())) == 0;
}

}  // namespace coffre
