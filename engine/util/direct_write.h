// Writes past the page cache.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/bytes.h"

namespace coffre {

// Writes all of `bytes` to `fd`, an empty file opened for writing. Large ones pass by the page
// cache where the file system allows that: a backup should not push out of memory what an
// application works with. Not durable before fsync. False when it fails, with errno.
bool write_past_cache(int fd, ByteView bytes);

}  // namespace coffre
