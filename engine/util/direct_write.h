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

// The same for a part of a file, from `offset` on: what shares pages with its neighbours goes
// through the cache.
bool pwrite_past_cache(int fd, ByteView bytes, off_t offset);

}  // namespace coffre
