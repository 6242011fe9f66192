#include "engine/history/node_versions.h"

#include <tuple>

namespace coffre {

namespace {

bool is_stream(Node const& node) {
    return (node.flags & node_flags::stream) != 0;
}

bool same_bytes(Node const& a, Node const& b) {
    if (a.size != b.size || a.holes != b.holes) return false;
    bool const both_told = !a.hash.is_zero() && !b.hash.is_zero();
    return both_told ? a.hash == b.hash : a.content == b.content;
}

}  // namespace

bool same_content(Node const& a, Node const& b) {
    if (a.kind != b.kind) return false;
    switch (a.kind) {
        case NodeKind::file:
            return same_bytes(a, b);
        case NodeKind::directory:
            return a.content == b.content || (a.digest == b.digest && !a.digest.is_zero());
        case NodeKind::symlink:
            return a.target == b.target;
        case NodeKind::char_device:
        case NodeKind::block_device:
            return a.device_number == b.device_number;
        case NodeKind::fifo:
        case NodeKind::socket:
            break;
    }
    return true;
}

bool same_metadata(Node const& a, Node const& b) {
    if (a.mtime != b.mtime && !(is_stream(a) && is_stream(b))) return false;
    return std::tie(a.mode, a.uid, a.gid, a.user, a.group, a.xattrs) ==
           std::tie(b.mode, b.uid, b.gid, b.user, b.group, b.xattrs);
}

std::vector<ListEntry> pieces_of(ChunkReader& reader, Content const& content) {
    if (content.level == 0) return content.entries;
    std::vector<ListEntry> pieces;
    ContentCursor cursor(reader, content);
    while (auto const piece = cursor.next()) pieces.push_back(*piece);
    return pieces;
}

}  // namespace coffre
