// The name of a new file, given when it is complete.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace coffre {

// Gives the file `temporary` the other name, unless that is taken: then false, and errno is EEXIST.
// False with another errno, too. The temporary name is gone in each case, and never there beside
// the other one, but for file systems that only know links. Both are paths beneath the open folder,
// or AT_FDCWD. It is not durable before the folder is.
bool give_new_name(int folder, std::string const& temporary, std::string const& name);

// Whether errno says that the file system has no links, as those of cards and sticks.
bool lacks_links(int error);

}  // namespace coffre
