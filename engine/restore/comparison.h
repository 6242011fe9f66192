// Whether a file of the target is already what the snapshot has. It is only read.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/restore/context.h"
#include "engine/util/fd.h"

namespace coffre {

// Throws RepositoryError when the list says that the chunk is larger than any may be.
void require_chunk_size(ListEntry const& entry);

class Comparison {
public:
    // `context` outlives this.
    explicit Comparison(RestoreContext& context) : context_(context) {}

    // Whether this chunk, which begins at `offset` of the node's content, lies in the file. Throws
    // RepositoryError when it is said to be too large.
    bool has_chunk(Fd const& fd, Node const& node, std::uint64_t offset, ListEntry const& entry);
    // Whether the contents and the holes are the node's; of a file that cannot be opened they are
    // not. `there` is what the file's stat says.
    bool has_contents_of(std::string const& path, Node const& node, struct stat const& there);
    // The same with its metadata.
    bool is_like(std::string const& path, Node const& node, struct stat const& there);

private:
    bool is_equal(Fd const& fd, Node const& node);

    RestoreContext& context_;
    Bytes buffer_;
};

}  // namespace coffre
