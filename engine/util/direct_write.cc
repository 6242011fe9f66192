#include "engine/util/direct_write.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "engine/util/fd.h"
#include "engine/util/pages.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t smallest = limits::mib;
constexpr std::size_t part = limits::mib + limits::mib / 2;  // of a block and more

std::span<std::byte> aligned_buffer() {
    thread_local Pages buffer(part);
    return buffer.bytes();
}

bool is_aligned(std::byte const* memory) {
    return std::bit_cast<std::uintptr_t>(memory) % page_size == 0;
}

bool set_direct(int fd, bool direct) {
    int const flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ::fcntl(fd, F_SETFL, direct ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

std::size_t in_whole_pages(std::size_t size) {
    return size / page_size * page_size;
}

// Whole pages, to a page's begin. What lies elsewhere in memory is copied to one first.
bool pwrite_pages(int fd, ByteView pages, off_t offset) {
    if (is_aligned(pages.data())) return pwrite_full(fd, pages, offset);
    auto const buffer = aligned_buffer();
    for (std::size_t at = 0; at < pages.size(); at += part) {
        auto const piece = buffer.first(std::min(part, pages.size() - at));
        std::memcpy(piece.data(), pages.data() + at, piece.size());
        if (!pwrite_full(fd, piece, offset + static_cast<off_t>(at))) return false;
    }
    return true;
}

// Less than a page: with zeros, which are cut off.
bool pwrite_last_page(int fd, ByteView rest, off_t offset) {
    if (rest.empty()) return true;
    auto const page = aligned_buffer().first(page_size);
    std::memcpy(page.data(), rest.data(), rest.size());
    std::memset(page.data() + rest.size(), 0, page_size - rest.size());
    return pwrite_full(fd, page, offset) &&
           ::ftruncate(fd, offset + static_cast<off_t>(rest.size())) == 0;
}

}  // namespace

bool write_past_cache(int fd, ByteView bytes) {
    if (bytes.size() < smallest || !set_direct(fd, true)) return write_full(fd, bytes);
    std::size_t const pages = in_whole_pages(bytes.size());
    if (pwrite_pages(fd, bytes.first(pages), 0) &&
        pwrite_last_page(fd, bytes.subspan(pages), static_cast<off_t>(pages))) {
        return true;
    }
    // Some file systems let a file be set so and refuse to write then.
    return errno == EINVAL && set_direct(fd, false) && pwrite_full(fd, bytes, 0);
}

PageShares page_shares(off_t offset, std::size_t size) {
    auto const start = static_cast<std::size_t>(offset);
    std::size_t const head = std::min(size, in_whole_pages(start + page_size - 1) - start);
    return {head, in_whole_pages(size - head)};
}

bool pwrite_pages_past_cache(int fd, ByteView pages, off_t offset) {
    std::string const self = "/proc/self/fd/" + std::to_string(fd);
    Fd const direct(::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
    if (direct && pwrite_pages(direct.get(), pages, offset)) return true;
    return (!direct || errno == EINVAL) && pwrite_full(fd, pages, offset);
}

}  // namespace coffre
