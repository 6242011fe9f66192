#include "engine/util/pages.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace coffre {

namespace {

std::size_t whole_pages(std::size_t size) {
    return (size + page_size - 1) / page_size * page_size;
}

std::byte* map(std::size_t size) {
    void* const memory = ::mmap(nullptr, whole_pages(size) + page_size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return static_cast<std::byte*>(memory);
}

void unmap(std::byte* memory, std::size_t size) {
    ::munmap(memory, whole_pages(size) + page_size);
}

// Who writes past the end meets a page that nobody may touch.
void forbid_last_page(std::byte* memory, std::size_t size) {
    if (::mprotect(memory + whole_pages(size), page_size, PROT_NONE) != 0) throw std::bad_alloc();
}

}  // namespace

void FreePages::operator()(std::byte* memory) const {
    pool ? pool->take_back(memory) : unmap(memory, size);
}

Pages::Pages(std::size_t size) : memory_(map(size), {size}) {
    forbid_last_page(memory_.get(), size);
}

Pages PagePool::get() {
    Pages::Memory memory;
    {
        std::lock_guard const lock(mutex_);
        if (free_.empty()) {
            free_.reserve(++made_);  // so that giving back never fails
        } else {
            memory = std::move(free_.back());
            free_.pop_back();
        }
    }
    if (!memory) memory = std::move(Pages(size_).memory_);
    memory.get_deleter().pool = shared_from_this();
    return Pages(std::move(memory));
}

void PagePool::take_back(std::byte* memory) noexcept {
    std::lock_guard const lock(mutex_);
    free_.emplace_back(memory, FreePages{size_});
}

std::span<std::byte> PageBuffer::extend(std::size_t by) {
    if (by > pages_.size() - size_) {
        Pages larger(std::max(2 * pages_.size(), size_ + by));
        if (size_ > 0) std::memcpy(larger.bytes().data(), pages_.bytes().data(), size_);
        pages_ = std::move(larger);
    }
    size_ += by;
    return pages_.bytes().subspan(size_ - by, by);
}

}  // namespace coffre
