// Memory that begins at a page, as disks take it, and is used again: touching fresh memory costs
// more than hashing what is put there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <mutex>

#include "format/bytes.h"

namespace coffre {

inline constexpr std::size_t page_size = 4096;  // a multiple of what disks ask for

class PagePool;

// Gives memory back to its pool, or else to the system.
struct FreePages {
    std::size_t size = 0;
    std::shared_ptr<PagePool> pool = nullptr;
    void operator()(std::byte* memory) const;
};

// Memory of a fixed size.
class Pages {
public:
    Pages() = default;
    // Of no pool. What it holds is undefined. Throws std::bad_alloc.
    explicit Pages(std::size_t size);

    std::span<std::byte> bytes() { return {memory_.get(), size()}; }
    ByteView bytes() const { return {memory_.get(), size()}; }
    std::size_t size() const { return memory_.get_deleter().size; }

private:
    friend class PagePool;
    using Memory = std::unique_ptr<std::byte[], FreePages>;

    explicit Pages(Memory memory) : memory_(std::move(memory)) {}

    Memory memory_;
};

// Threads may share a pool. It must outlive nothing: what was taken keeps it alive.
class PagePool : public std::enable_shared_from_this<PagePool> {
public:
    explicit PagePool(std::size_t size) : size_(size) {}

    // Of the pool's size; what it holds is left over. Throws std::bad_alloc.
    Pages get();

private:
    friend struct FreePages;
    void take_back(std::byte* memory) noexcept;

    std::size_t const size_;
    std::mutex mutex_;
    std::size_t made_ = 0;             // by mutex_
    std::vector<Pages::Memory> free_;  // by mutex_
};

// Bytes that grow, from the begin of a page on.
class PageBuffer {
public:
    PageBuffer() = default;
    // Uses this memory as long as it is large enough.
    explicit PageBuffer(Pages pages) : pages_(std::move(pages)) {}

    // The new bytes at the end, which are undefined. What was given before stays where it is only
    // while the memory has room.
    std::span<std::byte> extend(std::size_t by);
    bool has_room(std::size_t by) const { return by <= pages_.size() - size_; }
    void append(ByteView more) {
        std::memcpy(extend(more.size()).data(), more.data(), more.size());
    }
    ByteView view() const { return pages_.bytes().first(size_); }
    std::size_t size() const { return size_; }

private:
    Pages pages_;
    std::size_t size_ = 0;
};

}  // namespace coffre
