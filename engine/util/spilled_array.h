// An array that may be larger than memory should be: from some size on it lies in a nameless file,
// mapped, so that the kernel may write out what is not in use.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <type_traits>

#include "engine/util/fd.h"

namespace coffre {

// Bytes that grow, zero at first.
class SpilledBytes {
public:
    // Beyond `bytes_in_memory` they lie in a file in `folder`.
    SpilledBytes(std::string folder, std::size_t bytes_in_memory);
    SpilledBytes(SpilledBytes&& other) noexcept;
    SpilledBytes& operator=(SpilledBytes&&) = delete;
    SpilledBytes(SpilledBytes const&) = delete;
    SpilledBytes& operator=(SpilledBytes const&) = delete;
    ~SpilledBytes();

    // At least so many from now on. May move all. Throws SourceError naming the folder when there
    // is no room, std::bad_alloc when there is no memory.
    void reserve(std::size_t bytes);
    void* data() const { return data_; }
    bool has_spilled() const { return static_cast<bool>(file_); }

private:
    void spill(std::size_t bytes);
    void make_room(Fd const& file, std::size_t bytes) const;
    void remap(std::size_t bytes);

    std::string folder_;
    std::size_t bytes_in_memory_;
    Fd file_;
    void* data_ = nullptr;
    std::size_t capacity_ = 0;
};

// Of rows without owners, in `folder` when they take more than `bytes_in_memory`.
template <class Row>
class SpilledArray {
    static_assert(std::is_trivially_copyable_v<Row>);

public:
    explicit SpilledArray(std::string folder, std::size_t bytes_in_memory = default_bytes)
        : bytes_(std::move(folder), bytes_in_memory) {}

    std::size_t size() const { return size_; }
    Row& operator[](std::size_t at) { return begin()[at]; }
    Row const& operator[](std::size_t at) const { return begin()[at]; }
    Row* begin() { return static_cast<Row*>(bytes_.data()); }
    Row* end() { return begin() + size_; }
    Row const* begin() const { return static_cast<Row const*>(bytes_.data()); }
    Row const* end() const { return begin() + size_; }
    bool has_spilled() const { return bytes_.has_spilled(); }

    // Not smaller than before. The bytes of new rows are zero. Rows may move. Throws as
    // SpilledBytes::reserve().
    void resize(std::size_t size) {
        bytes_.reserve(size * sizeof(Row));
        size_ = size;
    }
    void push_back(Row row) {
        resize(size_ + 1);
        begin()[size_ - 1] = row;
    }

private:
    static constexpr std::size_t default_bytes = 8U << 20U;

    SpilledBytes bytes_;
    std::size_t size_ = 0;
};

}  // namespace coffre
