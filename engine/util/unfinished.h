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

// What will take the place of something else has such a name, with 32 hexadecimal digits behind it.
inline constexpr std::string_view temporary_prefix = ".restoring-";

inline bool is_temporary(std::string_view name) {
    return name.starts_with(temporary_prefix) && name.size() == temporary_prefix.size() + 32 &&
           name.find_first_not_of("0123456789abcdef", temporary_prefix.size()) ==
               std::string_view::npos;
}

}  // namespace coffre
