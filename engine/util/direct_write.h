// Writes past the page cache: a backup should not push out of memory what an application
// works with. Only large pieces, and only where the file system allows that.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/types.h>

#include "format/bytes.h"

namespace coffre {

// Writes all of `bytes` to `fd`, an empty file opened for writing. Not durable before fsync. False
// when it fails, with errno.
bool write_past_cache(int fd, ByteView bytes);

// The same for whole pages of a file, from `offset` on, the begin of one. Others may write to `fd`
// meanwhile, but not to these.
bool pwrite_pages_past_cache(int fd, ByteView pages, off_t offset);

// How `size` bytes from `offset` of a file on lie in its pages: `head` of them before the first
// that is whole, then `pages` in whole ones, then the others.
struct PageShares {
    std::size_t head = 0;
    std::size_t pages = 0;
};
PageShares page_shares(off_t offset, std::size_t size);

}  // namespace coffre
