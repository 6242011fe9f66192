#include "format/tree.h"

#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::uint8_t tree_mark = 'T';
constexpr std::uint32_t permission_bits = 07777;
constexpr std::uint32_t nanoseconds_per_second = 1'000'000'000;

void write_time(Writer& out, TimePoint const& time) {
    out.signed_varint(time.seconds);
    out.varint(time.nanoseconds);
}

TimePoint read_time(Reader& in) {
    TimePoint time;
    time.seconds = in.signed_varint();
    time.nanoseconds =
        static_cast<std::uint32_t>(in.bounded(nanoseconds_per_second - 1, "nanoseconds"));
    return time;
}

// Where the system is asked, a text ends at a zero byte.
void refuse_zero(Reader const& in, std::string const& text, std::string const& what) {
    if (text.find('\0') != std::string::npos) in.fail(what + " with a zero byte");
}

void check_name(Reader const& in, std::string const& name) {
    refuse_zero(in, name, "a name");
    bool const bad =
        name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos;
    if (bad && !mutant("any-node-name")) in.fail("\"" + name + "\" cannot be a name");
}

void check_flags(Reader const& in, Node const& node) {
    std::uint64_t const of_directories = node_flags::partial | node_flags::above;
    if ((node.flags & node_flags::stream) != 0 && !node.is_file()) in.fail("no file, but a stream");
    if ((node.flags & of_directories) != 0 && !node.is_directory()) {
        in.fail("a folder's flags on something else");
    }
}

void write_xattrs(Writer& out, Node const& node) {
    out.varint(node.xattrs.size());
    for (auto const& xattr : node.xattrs) {
        out.text(xattr.name);
        out.sized(xattr.value);
    }
}

void read_xattrs(Reader& in, Node& node) {
    std::uint64_t room = limits::xattrs_size;
    for (auto n = in.count(limits::xattrs_per_node, "number of attributes"); n > 0; --n) {
        Xattr xattr;
        xattr.name = in.text(limits::name_size, "attribute name");
        refuse_zero(in, xattr.name, "an attribute's name");
        if (!node.xattrs.empty() && node.xattrs.back().name >= xattr.name) {
            in.fail("attributes out of order");
        }
        ByteView const value = in.sized(limits::xattr_value_size, "attribute value");
        xattr.value.assign(value.begin(), value.end());
        if (xattr.name.size() + value.size() > room) in.fail("attributes too large");
        room -= xattr.name.size() + value.size();
        node.xattrs.push_back(std::move(xattr));
    }
}

void write_holes(Writer& out, Node const& node) {
    out.varint(node.holes.size());
    std::uint64_t end = 0;
    for (auto const& hole : node.holes) {
        out.varint(hole.offset - end);
        out.varint(hole.size);
        end = hole.offset + hole.size;
    }
}

void write_file(Writer& out, Node const& node) {
    out.varint(node.size);
    out.id(node.hash);
    write_content(out, node.content);
    write_holes(out, node);
}

void read_file(Reader& in, Node& node) {
    node.size = in.bounded(INT64_MAX, "file size");
    node.hash = in.id<FileHash>();
    node.content = read_content(in);
    std::uint64_t end = 0;
    std::uint64_t in_holes = 0;
    for (auto n = in.count(limits::holes_per_node, "number of holes"); n > 0; --n) {
        Hole hole;
        hole.offset = end + in.bounded(node.size - end, "hole offset");
        hole.size = in.bounded(node.size - hole.offset, "hole size");
        if (hole.size == 0) in.fail("an empty hole");
        if (!node.holes.empty() && hole.offset == end) in.fail("two holes touch");
        end = hole.offset + hole.size;
        in_holes += hole.size;
        node.holes.push_back(hole);
    }
    if (node.content.weight() != node.size - in_holes) in.fail("content and size differ");
}

void write_kind_fields(Writer& out, Node const& node) {
    switch (node.kind) {
        case NodeKind::file:
            return write_file(out, node);
        case NodeKind::directory:
            write_content(out, node.content);
            return out.id(node.digest);
        case NodeKind::symlink:
            return out.text(node.target);
        case NodeKind::char_device:
        case NodeKind::block_device:
            return out.varint(node.device_number);
        case NodeKind::fifo:
        case NodeKind::socket:
            return;
    }
}

void read_kind_fields(Reader& in, Node& node) {
    switch (node.kind) {
        case NodeKind::file:
            return read_file(in, node);
        case NodeKind::directory:
            node.content = read_content(in);
            node.digest = in.id<Digest>();
            return;
        case NodeKind::symlink:
            node.target = in.text(limits::link_target_size, "link target");
            return refuse_zero(in, node.target, "a link's target");
        case NodeKind::char_device:
        case NodeKind::block_device:
            node.device_number = in.varint();
            return;
        case NodeKind::fifo:
        case NodeKind::socket:
            return;
    }
}

}  // namespace

void write_node(Writer& out, Node const& node) {
    out.text(node.name);
    out.u8(static_cast<std::uint8_t>(node.kind));
    out.varint(node.flags);
    out.varint(node.mode);
    out.varint(node.uid);
    out.varint(node.gid);
    out.text(node.user);
    out.text(node.group);
    write_time(out, node.mtime);
    write_time(out, node.ctime);
    out.varint(node.inode);
    out.varint(node.device);
    out.varint(node.links);
    write_xattrs(out, node);
    write_kind_fields(out, node);
}

namespace {

bool is_name(std::string const& name) {
    return !name.empty() && name.size() <= limits::name_size && name != "." && name != ".." &&
           name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
}

bool are_readable(std::vector<Xattr> const& xattrs) {
    std::uint64_t total = 0;
    std::string const* last = nullptr;
    for (auto const& xattr : xattrs) {
        bool const is_readable = xattr.name.size() <= limits::name_size &&
                                 xattr.value.size() <= limits::xattr_value_size &&
                                 (last == nullptr || *last < xattr.name);
        if (!is_readable) return false;
        total += xattr.name.size() + xattr.value.size();
        last = &xattr.name;
    }
    return xattrs.size() <= limits::xattrs_per_node && total <= limits::xattrs_size;
}

bool has_its_size(Node const& node) {
    std::uint64_t size = node.content.weight();
    for (auto const& hole : node.holes) size += hole.size;
    return size == node.size && node.holes.size() <= limits::holes_per_node;
}

}  // namespace

void require_readable(Node const& node) {
    bool const is_readable =
        is_name(node.name) && are_readable(node.xattrs) && node.mode <= permission_bits &&
        node.user.size() <= limits::owner_name_size &&
        node.group.size() <= limits::owner_name_size &&
        node.mtime.nanoseconds < nanoseconds_per_second &&
        node.ctime.nanoseconds < nanoseconds_per_second &&
        node.target.size() <= limits::link_target_size && (!node.is_file() || has_its_size(node));
    if (!is_readable) throw FormatError("\"" + node.name + "\": no reader would accept this entry");
}

Node read_node(Reader& in) {
    Node node;
    node.name = in.text(limits::name_size, "name");
    check_name(in, node.name);
    auto const kind = in.u8();
    if (kind < 1 || kind > 7) in.fail("unknown kind of node " + std::to_string(kind));
    node.kind = static_cast<NodeKind>(kind);
    node.flags = in.bounded(node_flags::known, "flags");
    check_flags(in, node);
    node.mode = static_cast<std::uint32_t>(in.bounded(permission_bits, "mode"));
    node.uid = static_cast<std::uint32_t>(in.bounded(UINT32_MAX, "uid"));
    node.gid = static_cast<std::uint32_t>(in.bounded(UINT32_MAX, "gid"));
    node.user = in.text(limits::owner_name_size, "user");
    node.group = in.text(limits::owner_name_size, "group");
    node.mtime = read_time(in);
    node.ctime = read_time(in);
    node.inode = in.varint();
    node.device = in.varint();
    node.links = in.varint();
    read_xattrs(in, node);
    read_kind_fields(in, node);
    return node;
}

void write_digest_form(Writer& out, Node const& node) {
    bool const is_stream = (node.flags & node_flags::stream) != 0;
    out.text(node.name);
    out.u8(static_cast<std::uint8_t>(node.kind));
    out.varint(node.mode);
    out.varint(node.uid);
    out.varint(node.gid);
    out.text(node.user);
    out.text(node.group);
    write_time(out, is_stream ? TimePoint{} : node.mtime);  // a stream has the time of its run
    write_xattrs(out, node);
    switch (node.kind) {
        case NodeKind::file:
            out.varint(node.size);
            write_holes(out, node);
            return out.id(node.hash);
        case NodeKind::directory:
            return out.id(node.digest);
        default:
            return write_kind_fields(out, node);
    }
}

Bytes encode_tree_piece(std::size_t count, ByteView written_nodes) {
    Writer out;
    out.u8(tree_mark);
    out.varint(count);
    out.raw(written_nodes);
    return out.take();
}

Bytes encode_tree_piece(std::vector<Node> const& nodes) {
    Writer out;
    for (auto const& node : nodes) write_node(out, node);
    return encode_tree_piece(nodes.size(), out.view());
}

TreePieceReader::TreePieceReader(ByteView piece) : in_(piece, "tree"), size_(piece.size()) {
    if (in_.u8() != tree_mark) in_.fail("not a tree");
    nodes_left_ = in_.count(limits::list_max_entries, "number of nodes");
    if (nodes_left_ == 0) in_.fail("a piece without nodes");
}

std::string TreePieceReader::next_name() const {
    return Reader(in_).text(limits::name_size, "name");
}

Node TreePieceReader::read() {
    Node node = read_node(in_);
    step_to(node.name);
    return node;
}

// Whether bytes are a node depends on no byte behind them: these are, as they were where they were
// read before. What does depend on what is around them is their order.
bool TreePieceReader::pass(ByteView known) {
    if (!in_.starts_with(known)) return false;
    std::string const name = next_name();
    in_.raw(known.size());
    step_to(name);
    return true;
}

void TreePieceReader::step_to(std::string const& name) {
    if (!last_name_.empty() && last_name_ >= name) {
        in_.fail("names out of order at \"" + name + "\"");
    }
    last_name_ = name;
    if (--nodes_left_ == 0) in_.expect_end();
}

std::vector<Node> decode_tree_piece(ByteView bytes) {
    TreePieceReader in(bytes);
    std::vector<Node> nodes;
    nodes.reserve(in.nodes_left());
    while (in.nodes_left() > 0) nodes.push_back(in.read());
    return nodes;
}

}  // namespace coffre
