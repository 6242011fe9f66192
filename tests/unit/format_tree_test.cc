#include "format/tree.h"

#include <algorithm>
#include <functional>

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

Bytes encode(Node const& node) {
    Writer out;
    write_node(out, node);
    return out.take();
}

Node decode(ByteView bytes) {
    Reader in(bytes, "node");
    Node node = read_node(in);
    in.expect_end();
    return node;
}

Bytes digest_form(Node const& node) {
    Writer out;
    write_digest_form(out, node);
    return out.take();
}

// The message with which the node, changed, is refused; empty when it is taken.
std::string refusal(Node node, std::function<void(Node&)> const& change) {
    change(node);
    return format_error([&] { decode(encode(node)); });
}

std::string refusal_of_file(std::function<void(Node&)> const& change) {
    return refusal(samples::sparse_file(), change);
}

bool accepts_name(std::string const& name) {
    return refusal_of_file([&](Node& node) { node.name = name; }).empty();
}

bool digest_sees(Node const& node, std::function<void(Node&)> const& change) {
    Node changed = node;
    change(changed);
    return digest_form(changed) != digest_form(node);
}

std::vector<Node> named(std::vector<std::string> const& names) {
    std::vector<Node> nodes;
    for (auto const& name : names) nodes.push_back(samples::node(name, NodeKind::fifo));
    return nodes;
}

// The nodes of a piece, of which those that are written as one of `known` are not decoded.
std::vector<Node> read_beside(std::vector<Node> const& known, ByteView piece) {
    std::vector<Node> nodes;
    TreePieceReader in(piece);
    while (in.nodes_left() > 0) {
        auto const same = std::find_if(known.begin(), known.end(),
                                       [&](Node const& node) { return in.pass(encode(node)); });
        nodes.push_back(same != known.end() ? *same : in.read());
    }
    return nodes;
}

TEST(Node, RoundTripsEveryKind) {
    for (auto const& node : samples::nodes()) EXPECT_EQ(decode(encode(node)), node) << node.name;
    EXPECT_EQ(decode(encode(samples::node("empty", NodeKind::file))).content, Content{});
}

TEST(Node, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    for (auto const& node : samples::nodes()) expect_canonical(encode(node), decode, encode);
}

void add_a_byte(Node& node) {
    node.size += 1;
    node.content.entries[0].weight += 1;
}

void move_a_byte_between_holes(Node& node) {
    node.holes[0].size += 1;
    node.holes[1].size -= 1;
}

TEST(Node, KeepsEachFieldOfAFile) {
    expect_keeps_each(
        samples::sparse_file(),
        {add_a_byte, move_a_byte_between_holes, [](Node& n) { n.hash = {}; },
         [](Node& n) { n.content.entries[0].id = {}; }, [](Node& n) { n.holes[0].offset = 1; },
         [](Node& n) { n.xattrs[0].name = "a"; }, [](Node& n) { n.xattrs[0].value.pop_back(); }},
        decode, encode);
}

TEST(Node, KeepsEachFieldOfAnyNode) {
    expect_keeps_each(
        samples::node("a", NodeKind::fifo),
        {[](Node& n) { n.name = "b"; }, [](Node& n) { n.kind = NodeKind::socket; },
         [](Node& n) { n.flags = node_flags::unstable; }, [](Node& n) { n.mode = 04000; },
         [](Node& n) { n.uid = 0; }, [](Node& n) { n.gid = 0; }, [](Node& n) { n.user.clear(); },
         [](Node& n) { n.group.clear(); }, [](Node& n) { n.mtime.seconds = 1; },
         [](Node& n) { n.mtime.nanoseconds = 1; }, [](Node& n) { n.ctime = {}; },
         [](Node& n) { n.inode = 0; }, [](Node& n) { n.device = 0; }, [](Node& n) { n.links = 0; }},
        decode, encode);
}

TEST(Node, KeepsWhatOtherKindsAre) {
    expect_keeps_each(samples::directory("d"),
                      {[](Node& n) { n.digest = {}; }, [](Node& n) { n.content.level = 0; }},
                      decode, encode);
    expect_keeps_each(samples::symlink(), {[](Node& n) { n.target = "x"; }}, decode, encode);
    expect_keeps_each(samples::device("d", NodeKind::block_device),
                      {[](Node& n) { n.device_number = UINT64_MAX; }}, decode, encode);
}

TEST(Node, BytesStayWhatTheyAre) {
    Node link = samples::symlink();
    link.xattrs = {{"user.a", {std::byte{7}}}};
    EXPECT_EQ(to_hex(encode(link)),
              "066c696e6b20ff"
              "03"
              "00"
              "e803"
              "e807"
              "ffffffff0f"
              "03616461"
              "057573657273"
              "01ff93ebdc03"
              "80c49fd50c05"
              "ffffffffffffffffff01"
              "8110"
              "02"
              "01"
              "06757365722e61"
              "0107"
              "112e2e2f736f6d6577686572652f656c7365");
}

TEST(Node, NamesAreAnyBytesButSlashAndNul) {
    for (auto const& good : {std::string("a"), std::string("..."), std::string(" "),
                             std::string("\xff\n"), std::string(limits::name_size, 'x')}) {
        EXPECT_TRUE(accepts_name(good)) << good;
    }
    for (auto const& bad :
         {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
          std::string("a\0b", 3), std::string(limits::name_size + 1, 'x')}) {
        EXPECT_FALSE(accepts_name(bad)) << bad;
    }
}

TEST(Node, RefusesUnknownKindsFlagsAndModes) {
    EXPECT_NE(refusal_of_file([](Node& n) { n.kind = NodeKind{0}; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.kind = NodeKind{8}; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.flags = node_flags::known + 1; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.mode = 010000; }), "");
}

TEST(Node, RefusesASecondOfNanoseconds) {
    EXPECT_EQ(refusal_of_file([](Node& n) { n.mtime = {INT64_MIN, 999'999'999}; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.mtime.nanoseconds = 1'000'000'000; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.ctime.nanoseconds = 1'000'000'000; }), "");
}

TEST(Node, RefusesTextsAboveTheLimits) {
    std::string const owner(limits::owner_name_size + 1, 'x');
    EXPECT_NE(refusal_of_file([&](Node& n) { n.user = owner; }), "");
    EXPECT_NE(refusal_of_file([&](Node& n) { n.group = owner; }), "");
    std::string const target(limits::link_target_size, 'x');
    EXPECT_EQ(refusal(samples::symlink(), [&](Node& n) { n.target = target; }), "");
    EXPECT_NE(refusal(samples::symlink(), [&](Node& n) { n.target = target + "x"; }), "");
}

TEST(Node, AttributesAscendWithoutRepeats) {
    EXPECT_NE(refusal_of_file([](Node& n) { std::swap(n.xattrs[0], n.xattrs[1]); }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.xattrs[1].name = n.xattrs[0].name; }), "");
}

TEST(Node, RefusesAttributesAboveTheLimits) {
    auto const value = [](std::size_t size) {
        return [=](Node& n) { n.xattrs[0].value.resize(size); };
    };
    EXPECT_EQ(refusal_of_file(value(limits::xattr_value_size)), "");
    EXPECT_NE(refusal_of_file(value(limits::xattr_value_size + 1)), "");
    std::string const name(limits::name_size, 'x');
    EXPECT_EQ(refusal_of_file([&](Node& n) { n.xattrs[1].name = name; }), "");
    EXPECT_NE(refusal_of_file([&](Node& n) { n.xattrs[1].name = name + "x"; }), "");
}

TEST(Node, RefusesAttributesThatAreTooLargeTogether) {
    auto const refusal_of = [](std::size_t last) {
        return refusal_of_file([=](Node& n) {
            n.xattrs = {{"a", Bytes(limits::xattr_value_size)},
                        {"b", Bytes(limits::xattr_value_size - 4)},
                        {"c", Bytes(last)}};
        });
    };
    EXPECT_EQ(refusal_of(1), "");
    EXPECT_EQ(refusal_of(2), "node: attributes too large");
}

TEST(Node, RefusalsNameWhatWasFound) {
    EXPECT_EQ(refusal_of_file([](Node& n) { n.kind = NodeKind{8}; }),
              "node: unknown kind of node 8");
    EXPECT_EQ(refusal_of_file([](Node& n) { n.name = "a/b"; }), "node: \"a/b\" cannot be a name");
    EXPECT_EQ(refusal_of_file([](Node& n) { n.xattrs[0].name = std::string("a\0b", 3); }),
              "node: an attribute's name with a zero byte");
    EXPECT_EQ(refusal(samples::symlink(), [](Node& n) { n.target = std::string("a\0b", 3); }),
              "node: a link's target with a zero byte");
    EXPECT_EQ(refusal_of_file([](Node& n) { n.size += 1; }), "node: content and size differ");
    EXPECT_EQ(refusal_of_file([](Node& n) { n.holes[1].size = 0; }), "node: an empty hole");
}

TEST(Node, SizeIsContentPlusHoles) {
    EXPECT_NE(refusal_of_file([](Node& n) { n.size += 1; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.size -= 1; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.content.entries.pop_back(); }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.holes.pop_back(); }), "");
}

TEST(Node, HolesAscendAndLieInTheFile) {
    EXPECT_NE(refusal_of_file([](Node& n) { std::swap(n.holes[0], n.holes[1]); }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.holes[1].offset = 4095; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.holes[1].offset = n.size; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.holes[1].offset = n.size - n.holes[1].size + 1; }),
              "");
    EXPECT_EQ(refusal_of_file([](Node& n) { n.holes[1].offset = n.size - n.holes[1].size; }), "");
    EXPECT_NE(refusal_of_file([](Node& n) { n.holes[1].size = 0; }), "");
}

TEST(Node, RefusesFilesAbove63Bits) {
    auto const size = [](std::uint64_t bytes) {
        return [=](Node& n) {
            n.size = bytes;
            n.holes.clear();
            n.content = {0, {{ChunkId{}, bytes}}};
        };
    };
    EXPECT_EQ(refusal_of_file(size(INT64_MAX)), "");
    EXPECT_NE(refusal_of_file(size(std::uint64_t{INT64_MAX} + 1)), "");
}

TEST(Node, HolesThatTouchAreOneHole) {
    Node node = samples::sparse_file();
    node.holes = {{10, 5}, {15, 5}};
    node.size = 20;
    node.content = {0, {{ChunkId{}, 10}}};
    EXPECT_NE(refusal(node, [](Node&) {}), "");
    node.holes = {{10, 10}};
    EXPECT_EQ(refusal(node, [](Node&) {}), "");
}

TEST(Node, FlagsAreForTheirKinds) {
    Node file = samples::sparse_file();
    Node folder = samples::directory("d");
    for (auto const flag : {node_flags::partial, node_flags::above}) {
        file.flags = folder.flags = flag;
        EXPECT_NE(refusal(file, [](Node&) {}), "");
        EXPECT_EQ(refusal(folder, [](Node&) {}), "");
    }
    file.flags = folder.flags = node_flags::stream;
    EXPECT_EQ(refusal(file, [](Node&) {}), "");
    EXPECT_NE(refusal(folder, [](Node&) {}), "");
}

TEST(DigestForm, SeesWhatARestoreGivesBack) {
    Node const file = samples::sparse_file();
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.name = "b"; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.kind = NodeKind::fifo; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.mode = 0; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.uid = 7; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.gid = 7; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.user = "eve"; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.group = "eve"; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.mtime.nanoseconds = 0; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.xattrs.pop_back(); }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.size = 0; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.hash = {}; }));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.holes.clear(); }));
}

TEST(DigestForm, SeesWhatOtherKindsAre) {
    EXPECT_TRUE(digest_sees(samples::directory("d"), [](Node& n) { n.digest = {}; }));
    EXPECT_TRUE(digest_sees(samples::symlink(), [](Node& n) { n.target = "x"; }));
    EXPECT_TRUE(digest_sees(samples::device("d", NodeKind::char_device),
                            [](Node& n) { n.device_number = 1; }));
}

TEST(DigestForm, OverlooksTheTimeOfAStreamAlone) {
    auto const later = [](Node& n) { n.mtime.seconds += 1; };
    Node file = samples::sparse_file();
    EXPECT_TRUE(digest_sees(file, later));
    file.flags = node_flags::stream;
    EXPECT_FALSE(digest_sees(file, later));
    EXPECT_TRUE(digest_sees(file, [](Node& n) { n.hash = {}; }));
}

TEST(TimePoint, ComparesSecondsThenNanoseconds) {
    std::vector<TimePoint> const ascending = {{INT64_MIN, 0}, {-1, 0}, {-1, 999'999'999},
                                              {0, 0},         {0, 1},  {1, 0}};
    for (std::size_t i = 0; i + 1 < ascending.size(); ++i) {
        EXPECT_LT(ascending[i], ascending[i + 1]) << i;
        EXPECT_GT(ascending[i + 1], ascending[i]) << i;
        EXPECT_GE(ascending[i], ascending[i]) << i;
        EXPECT_NE(ascending[i], ascending[i + 1]) << i;
    }
}

TEST(DigestForm, OverlooksWhereAndHowAFileWasStored) {
    Node const file = samples::sparse_file();
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.inode = 7; }));
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.device = 7; }));
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.links = 7; }));
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.ctime = {}; }));
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.flags = 0; }));
    EXPECT_FALSE(digest_sees(file, [](Node& n) { n.content = {}; }));
    EXPECT_FALSE(digest_sees(samples::directory("d"), [](Node& n) { n.content = {}; }));
}

TEST(TreePiece, RoundTrips) {
    EXPECT_EQ(decode_tree_piece(encode_tree_piece(samples::nodes())), samples::nodes());
}

TEST(TreePiece, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    auto const encode_piece = [](std::vector<Node> const& nodes) {
        return encode_tree_piece(nodes);
    };
    expect_canonical(encode_tree_piece(samples::nodes()), decode_tree_piece, encode_piece);
}

TEST(TreePiece, IsTheSameWhenNodesAreWrittenOneByOne) {
    Writer nodes;
    for (auto const& node : samples::nodes()) write_node(nodes, node);
    EXPECT_EQ(encode_tree_piece(samples::nodes().size(), nodes.view()),
              encode_tree_piece(samples::nodes()));
}

TEST(TreePiece, NamesAscendAsUnsignedBytes) {
    EXPECT_NO_THROW(decode_tree_piece(encode_tree_piece(named({"A", "a", "a ", "b", "\xc3"}))));
    for (auto const& names : std::vector<std::vector<std::string>>{
             {"b", "a"}, {"a", "a"}, {"\xc3", "z"}, {"ab", "a"}}) {
        EXPECT_THROW(decode_tree_piece(encode_tree_piece(named(names))), FormatError);
    }
}

TEST(TreePiece, HoldsOneToTheLimitOfNodes) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i <= limits::list_max_entries; ++i) {
        names.push_back(std::to_string(10'000 + i));
    }
    EXPECT_THROW(decode_tree_piece(encode_tree_piece(named(names))), FormatError);
    names.pop_back();
    EXPECT_NO_THROW(decode_tree_piece(encode_tree_piece(named(names))));
    EXPECT_THROW(decode_tree_piece(encode_tree_piece(std::vector<Node>())), FormatError);
}

TEST(TreePieceReader, TellsNamesAndWhereNodesBegin) {
    auto const nodes = samples::nodes();
    Bytes const piece = encode_tree_piece(nodes);
    TreePieceReader in(piece);
    for (auto const& node : nodes) {
        EXPECT_EQ(in.next_name(), node.name);
        EXPECT_EQ(decode(ByteView(piece).subspan(in.offset(), encode(node).size())), node);
        EXPECT_EQ(in.read(), node);
    }
    EXPECT_EQ(in.nodes_left(), 0U);
    EXPECT_EQ(in.offset(), piece.size());
}

TEST(TreePieceReader, PassesNothingButTheSameNode) {
    auto const nodes = samples::nodes();
    Bytes const piece = encode_tree_piece(nodes);
    TreePieceReader in(piece);
    Node other = nodes[0];
    other.mtime.seconds += 1;
    EXPECT_FALSE(in.pass(encode(other)));
    EXPECT_FALSE(in.pass(encode(nodes[1])));
    EXPECT_EQ(in.nodes_left(), nodes.size());
    EXPECT_TRUE(in.pass(encode(nodes[0])));
    EXPECT_EQ(in.read(), nodes[1]);
    EXPECT_FALSE(in.pass(piece));  // longer than what is left
}

// What is passed is checked as what is decoded.
TEST(TreePieceReader, RefusesWhatTheDecoderRefuses) {
    auto const known = samples::nodes();
    auto const read = [&](ByteView piece) { return read_beside(known, piece); };
    auto const encode_piece = [](std::vector<Node> const& nodes) {
        return encode_tree_piece(nodes);
    };
    expect_canonical(encode_tree_piece(known), read, encode_piece);
}

TEST(TreePieceReader, ChecksTheOrderOfWhatItPasses) {
    auto const known = named({"a", "b"});
    EXPECT_EQ(read_beside(known, encode_tree_piece(named({"a", "b", "c"}))),
              named({"a", "b", "c"}));
    for (auto const& names :
         std::vector<std::vector<std::string>>{{"b", "a"}, {"a", "a"}, {"c", "a"}, {"b", "aa"}}) {
        EXPECT_THROW(read_beside(known, encode_tree_piece(named(names))), FormatError);
    }
}

TEST(TreePiece, IsNoRecipe) {
    EXPECT_THROW(decode_tree_piece(encode_recipe(0, samples::list_entries())), FormatError);
    EXPECT_THROW(decode_recipe(encode_tree_piece(samples::nodes()), 0), FormatError);
}

}  // namespace
}  // namespace coffre
