// The holes of a file that is there already, made as the snapshot has them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

#include "engine/util/fd.h"
#include "format/tree.h"

namespace coffre {

// Whether nothing is stored there. False, too, where the file system cannot tell.
bool is_hole(Fd const& fd, Hole const& hole);

// Gives the file the node's size. Throws SourceError; so does the next.
void set_size(std::string const& path, Fd const& fd, Node const& node);

// Makes the node's holes; file systems without holes get zeros. The file has its size.
void make_holes(std::string const& path, Fd const& fd, Node const& node);

}  // namespace coffre
