// The mark of a file that is being restored.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <string_view>

namespace coffre {

// Its mode, until its metadata are set: nobody runs it meanwhile, and a restore that was killed is
// known to have left it so, since no other program gives a file that is read by its owner only a
// sticky bit.
inline constexpr mode_t unfinished_mode = S_ISVTX | S_IRUSR | S_IWUSR;

inline bool is_unfinished(struct stat const& there) {
    return S_ISREG(there.st_mode) && (there.st_mode & 07777U) == unfinished_mode;
}

// The beginning of the names of what will take the place of something else.
inline constexpr std::string_view temporary_prefix = ".restoring-";

}  // namespace coffre
