// Large buffers, used again: touching fresh memory costs more than hashing what is put there.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <mutex>

#include "format/bytes.h"

namespace coffre {

// Threads may share a pool. It must outlive nothing: buffers keep it alive.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
public:
    explicit BufferPool(std::size_t buffer_size) : buffer_size_(buffer_size) {}

    struct Return {
        std::shared_ptr<BufferPool> pool;
        void operator()(Bytes* buffer) const { pool->take_back(buffer); }
    };
    using Buffer = std::unique_ptr<Bytes, Return>;

    // A buffer of the pool's size; what it holds is left over.
    Buffer get() {
        std::unique_ptr<Bytes> buffer;
        {
            std::lock_guard const lock(mutex_);
            if (!free_.empty()) {
                buffer = std::move(free_.back());
                free_.pop_back();
            }
        }
        if (!buffer) buffer = std::make_unique<Bytes>(buffer_size_);
        return Buffer(buffer.release(), Return{shared_from_this()});
    }

private:
    void take_back(Bytes* buffer) {
        std::lock_guard const lock(mutex_);
        free_.emplace_back(buffer);
    }

    std::size_t const buffer_size_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<Bytes>> free_;  // by mutex_
};

}  // namespace coffre
