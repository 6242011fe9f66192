// What flows between the stages up to `record`: events in the order of the tree, with their bytes.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <variant>

#include "engine/util/pages.h"
#include "format/tree.h"

namespace coffre {

// A directory's entries follow, in byte order of names, until its LeaveDirectory.
struct EnterDirectory {
    Node node;
};
struct LeaveDirectory {
    std::uint64_t flags = 0;  // node_flags::partial when not all entries were saved
};
// An entry that is complete: a link, a special node, a file taken over from the parent snapshot.
struct AddNode {
    Node node;
    bool inherited = false;
};
// Another name of a file that was read in this run, and is `remembered`.
struct AddLink {
    Node node;
    bool is_last = false;  // no further one will come
};
// A file's chunks follow, until its EndFile. Several may be open at once, each in a lane of its
// own: lane 0 is the tree's, the others are the streams'.
struct BeginFile {
    std::size_t lane = 0;
    Node node;
    bool is_new = true;  // not in the parent snapshot
};
struct FileChunk {
    std::size_t lane = 0;
    std::size_t offset = 0;  // in the batch's buffer
    std::size_t size = 0;
    ChunkId id;  // set by `identify`
};
struct EndFile {
    std::size_t lane = 0;
    bool failed = false;      // could not be read to its end: the entry is dropped
    std::uint64_t flags = 0;  // node_flags to add
    std::vector<Hole> holes = {};
    bool remembered = false;  // AddLink may follow
};

using Event =
    std::variant<EnterDirectory, LeaveDirectory, AddNode, AddLink, BeginFile, FileChunk, EndFile>;

struct Batch {
    Pages buffer;
    std::vector<Event> events;

    ByteView bytes(FileChunk const& chunk) const {
        return buffer.bytes().subspan(chunk.offset, chunk.size);
    }
};

}  // namespace coffre
