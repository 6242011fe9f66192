#include "engine/util/spilled_array.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "engine/error.h"
#include "engine/util/pages.h"

namespace coffre {

namespace {

void* require(void* memory) {
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return memory;
}

void* map(int fd, std::size_t bytes) {
    int const kind = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    return require(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kind, fd, 0));
}

}  // namespace

SpilledBytes::SpilledBytes(std::string folder, std::size_t bytes_in_memory)
    : folder_(std::move(folder)), bytes_in_memory_(bytes_in_memory) {}

SpilledBytes::SpilledBytes(SpilledBytes&& other) noexcept
    : folder_(std::move(other.folder_)),
      bytes_in_memory_(other.bytes_in_memory_),
      file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SpilledBytes::~SpilledBytes() {
    if (data_ != nullptr) ::munmap(data_, capacity_);
}

void SpilledBytes::reserve(std::size_t bytes) {
    if (bytes <= capacity_) return;
    std::size_t const larger = std::max(2 * capacity_, bytes);
    std::size_t const whole = (larger + page_size - 1) / page_size * page_size;
    if (!file_ && bytes > bytes_in_memory_) return spill(whole);
    if (file_) make_room(file_, whole);
    remap(whole);
}

void SpilledBytes::spill(std::size_t bytes) {
    Fd file = open_nameless(folder_);
    make_room(file, bytes);
    void* const memory = map(file.get(), bytes);
    if (data_ != nullptr) {
        std::memcpy(memory, data_, capacity_);
        ::munmap(data_, capacity_);
    }
    file_ = std::move(file);
    data_ = memory;
    capacity_ = bytes;
}

// Without room, touching the mapping would end the process.
void SpilledBytes::make_room(Fd const& file, std::size_t bytes) const {
    if (file) {
        errno = ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
        if (errno == 0) return;
    }
    throw SourceError(folder_, folder_ + ": cannot write a temporary file: " + errno_text());
}

void SpilledBytes::remap(std::size_t bytes) {
    data_ = data_ == nullptr ? map(-1, bytes)
                             : require(::mremap(data_, capacity_, bytes, MREMAP_MAYMOVE));
    capacity_ = bytes;
}

}  // namespace coffre
