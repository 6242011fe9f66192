// Directories: their entries (nodes), and the pieces in which they are stored.
//
// docs/format.md, section "Trees".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/content.h"

namespace coffre {

enum class NodeKind : std::uint8_t {
    file = 1,
    directory = 2,
    symlink = 3,
    fifo = 4,
    socket = 5,
    char_device = 6,
    block_device = 7,
};

namespace node_flags {
inline constexpr std::uint64_t stream = 1;    // a command's output: no inode behind it
inline constexpr std::uint64_t unstable = 2;  // changed while it was read, or in part unreadable
inline constexpr std::uint64_t partial = 4;   // a directory that was not entered or listed in full
inline constexpr std::uint64_t above = 8;     // lies above the saved paths: no times, no inode
inline constexpr std::uint64_t known = 15;
}  // namespace node_flags

// A moment; `nanoseconds` is 0..999,999,999 and counts forward also before 1970.
struct TimePoint {
    std::int64_t seconds = 0;
    std::uint32_t nanoseconds = 0;

    auto operator<=>(TimePoint const&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Xattr {
    std::string name;
    Bytes value;

    bool operator==(Xattr const&) const = default;
};

struct Hole {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;

    bool operator==(Hole const&) const = default;
};

struct Node {
    std::string name;  // any bytes but '/' and NUL, neither "." nor ".."
    NodeKind kind = NodeKind::file;
    std::uint64_t flags = 0;
    std::uint32_t mode = 0;  // permissions, set-id and sticky bits: 07777
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::string user;  // empty: unknown
    std::string group;
    TimePoint mtime;
    TimePoint ctime;
    std::uint64_t inode = 0;
    std::uint64_t device = 0;
    std::uint64_t links = 1;
    std::vector<Xattr> xattrs;  // ACLs are among them; names ascend

    std::uint64_t size = 0;           // file: bytes
    FileHash hash;                    // file: XXH3-128 of its content, that is without holes
    Content content;                  // file, directory
    std::vector<Hole> holes;          // file: ascending, not in `content`
    Digest digest;                    // directory: of everything beneath
    std::string target;               // symlink
    std::uint64_t device_number = 0;  // char_device, block_device: as makedev() makes it

    bool is_file() const { return kind == NodeKind::file; }
    bool is_directory() const { return kind == NodeKind::directory; }
    bool operator==(Node const&) const = default;
};

void write_node(Writer& out, Node const& node);
// Throws FormatError when read_node() would not accept what write_node() writes.
void require_readable(Node const& node);
Node read_node(Reader& in);

// What the whole-tree digest sees of a node: what a restore gives back; not inode, ctime, device.
void write_digest_form(Writer& out, Node const& node);

// One piece of a directory, the plaintext of one meta chunk: nodes that ascend by name.
Bytes encode_tree_piece(std::vector<Node> const& nodes);
std::vector<Node> decode_tree_piece(ByteView bytes);

// Reads the nodes of a piece one by one. Throws FormatError where decode_tree_piece does, each time
// as soon as what was read so far shows it.
class TreePieceReader {
public:
    // `piece` outlives this.
    explicit TreePieceReader(ByteView piece);

    std::size_t nodes_left() const { return nodes_left_; }
    // Where in the piece the next node begins.
    std::size_t offset() const { return size_ - in_.remaining(); }
    std::string next_name() const;
    Node read();
    // Goes past the next node, without decoding it, when it is written as `known` is: as a node
    // that was read before, from any piece. False when it is not.
    bool pass(ByteView known);

private:
    void step_to(std::string const& name);

    Reader in_;
    std::size_t size_;
    std::size_t nodes_left_ = 0;
    std::string last_name_;
};

// As encode_tree_piece, for nodes that were written one by one.
Bytes encode_tree_piece(std::size_t count, ByteView written_nodes);

}  // namespace coffre
