// Whether bytes look random, as those of images, videos and archives do.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/bytes.h"

namespace coffre {

// True when zstd would save little or nothing of `bytes`: in a sample of at most 1 KiB, two bytes
// are the same less than 2.5 times as often as two random ones. False for less than 64 bytes.
// Source: the index of coincidence, W. F. Friedman, 1922.
bool looks_random(ByteView bytes);

}  // namespace coffre
