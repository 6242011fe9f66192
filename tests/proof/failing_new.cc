#include "failing_new.h"

#include <cstdlib>
#include <new>

namespace coffre::proof {

namespace {

struct Allocator {
    bool is_armed = false;
    bool has_failed = false;
    std::uint64_t left = 0;
    std::int64_t live = 0;
};

thread_local Allocator allocator;

bool may_allocate() {
    if (!allocator.is_armed || allocator.has_failed) return true;
    if (allocator.left-- > 0) return true;
    allocator.has_failed = true;
    return false;
}

void* take(std::size_t size) noexcept {
    // NOLINTNEXTLINE(cppcoreguidelines-no-malloc): for operator new
    void* const memory = may_allocate() ? std::malloc(size == 0 ? 1 : size) : nullptr;
    if (memory != nullptr) ++allocator.live;
    return memory;
}

void give_back(void* memory) noexcept {
    if (memory != nullptr) --allocator.live;
    std::free(memory);  // NOLINT(cppcoreguidelines-no-malloc): for operator delete
}

}  // namespace

void fail_after(std::uint64_t allocations) {
    allocator.left = allocations;
    allocator.has_failed = false;
    allocator.is_armed = true;
}

bool stop_failing() {
    allocator.is_armed = false;
    return allocator.has_failed;
}

std::int64_t live_allocations() {
    return allocator.live;
}

}  // namespace coffre::proof

void* operator new(std::size_t size) {
    void* const memory = coffre::proof::take(size);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

void* operator new(std::size_t size, std::nothrow_t const&) noexcept {
    return coffre::proof::take(size);
}

void operator delete(void* memory) noexcept {
    coffre::proof::give_back(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    coffre::proof::give_back(memory);
}
