// An open file descriptor, closed with its owner; and the calls on it that may be interrupted or
// short.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

#include "format/bytes.h"

namespace coffre {

class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    Fd(Fd const&) = delete;
    Fd& operator=(Fd const&) = delete;
    ~Fd() { reset(); }

    explicit operator bool() const { return fd_ >= 0; }
    int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }
    void reset();

private:
    int fd_ = -1;
};

// A folder that is being listed.
struct CloseFolder {
    void operator()(DIR* folder) const { ::closedir(folder); }
};
using OpenFolder = std::unique_ptr<DIR, CloseFolder>;

// A file in `folder` that goes with its descriptor, to be read and written. Empty with errno on
// failure.
Fd open_nameless(std::string const& folder);

// The text of an errno; of the current one.
std::string errno_text(int error);
std::string errno_text();

// Reads until `into` is full or the file ends; returns how many bytes. -1 with errno on failure.
ssize_t read_full(int fd, std::span<std::byte> into);
ssize_t pread_full(int fd, std::span<std::byte> into, off_t offset);
// Writes all of `bytes`. False with errno on failure.
bool write_full(int fd, ByteView bytes);
bool pwrite_full(int fd, ByteView bytes, off_t offset);

}  // namespace coffre
