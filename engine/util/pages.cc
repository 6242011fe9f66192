#include "engine/util/pages.h"

#include <algorithm>

namespace coffre {

Pages::Pages(std::size_t size) : memory_(PagePool::allocate(size)), size_(size) {}

void Pages::Return::operator()(std::byte* memory) const {
    pool ? pool->take_back(memory) : PagePool::Free()(memory);
}

std::byte* PagePool::allocate(std::size_t size) {
    return new (std::align_val_t{page_size}) std::byte[size];
}

void PagePool::Free::operator()(std::byte* memory) const {
    ::operator delete[](memory, std::align_val_t{page_size});
}

Pages PagePool::get() {
    std::unique_ptr<std::byte[], Free> memory;
    {
        std::lock_guard const lock(mutex_);
        if (!free_.empty()) {
            memory = std::move(free_.back());
            free_.pop_back();
        }
    }
    if (!memory) memory.reset(allocate(size_));
    return {Pages::Memory(memory.release(), {shared_from_this()}), size_};
}

void PagePool::take_back(std::byte* memory) {
    std::lock_guard const lock(mutex_);
    free_.emplace_back(memory);
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
