// Trees that a hostile key holder may publish: names, links, what is in the way, and rights. What
// files and folders are made of is in engine_hostile_contents_test.cc.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <limits>

#include "hostile_scene.h"

namespace coffre {
namespace {

using namespace test;
using Cases = std::vector<HostileCase>;
using Nodes = std::vector<Node>;

constexpr NodeKind every_kind[] = {
    NodeKind::file,   NodeKind::directory,   NodeKind::symlink,     NodeKind::fifo,
    NodeKind::socket, NodeKind::char_device, NodeKind::block_device};

std::string spelled(NodeKind kind) {
    static char const* const names[] = {"",     "File",   "Folder", "Link",
                                        "Fifo", "Socket", "Char",   "Block"};
    return names[static_cast<int>(kind)];
}

// An entry of the kind with something to be harmed by: bytes, a child, a way to the canary.
Node entry(HostileRepo& repo, Scene const& scene, NodeKind kind, std::string const& name) {
    switch (kind) {
        case NodeKind::file:
            return repo.file(name);
        case NodeKind::directory:
            return repo.folder(name, {repo.file("file")});
        case NodeKind::symlink:
            return link_to(name, scene.canary());
        default:
            return device_of(name, kind, makedev(1, 3));
    }
}

// --- Names ---

struct Named {
    std::string label;
    std::string name;
};

std::vector<Named> bad_names() {
    return {{"Empty", ""},
            {"Dot", "."},
            {"DotDot", ".."},
            {"Slash", "/"},
            {"Below", "a/b"},
            {"Above", "../beside/new"},
            {"FarAbove", "../../canary/new"},
            {"Absolute", "/tmp/coffre-hostile-new"},
            {"UpAndDown", "a/../../../canary/file"},
            {"TrailingSlash", "a/"},
            {"Zero", std::string("x\0y", 3)},
            {"DotDotZero", std::string("..\0", 3)},
            {"TooLong", std::string(256, 'n')},
            {"FarTooLong", std::string(5000, 'n')}};
}

// Good names around the bad one, in order, as far as it has one.
Nodes among_good(HostileRepo& repo, Node bad) {
    Nodes nodes{repo.file("!first"), std::move(bad), repo.file("~last")};
    std::sort(nodes.begin(), nodes.end(),
              [](Node const& a, Node const& b) { return a.name < b.name; });
    return nodes;
}

HostileCase bad_name(Named const& named, NodeKind kind, bool is_deep) {
    auto const craft = [named, kind, is_deep](HostileRepo& repo, Scene const& scene) {
        Nodes nodes = among_good(repo, entry(repo, scene, kind, named.name));
        if (is_deep) nodes = {repo.folder("folder", nodes), repo.file("good")};
        repo.publish(nodes);
    };
    bool const has_zero = named.name.find('\0') != std::string::npos;
    std::string const says = named.name.size() > 255 ? "name"
                             : has_zero              ? "a name with a zero byte"
                                                     : "cannot be a name";
    return {"BadName" + named.label + spelled(kind) + (is_deep ? "Deep" : ""), Expected::reported,
            says, craft};
}

Cases names_cases() {
    Cases cases;
    for (auto const& named : bad_names()) {
        for (auto const kind : {NodeKind::file, NodeKind::directory, NodeKind::symlink}) {
            cases.push_back(bad_name(named, kind, false));
        }
        cases.push_back(bad_name(named, NodeKind::fifo, true));
    }
    cases.push_back(
        {"GoodNamesOfOddBytes", Expected::whole, "", [](HostileRepo& repo, Scene const&) {
             Nodes nodes{repo.file("\x01\x1b[31m"), repo.file(" "),
                         repo.file("-rf"),          repo.file("..."),
                         repo.file("\\..\\x"),      repo.file(std::string(255, '\xff'))};
             std::sort(nodes.begin(), nodes.end(),
                       [](Node const& a, Node const& b) { return a.name < b.name; });
             repo.publish(nodes);
         }});
    return cases;
}

// --- The same name twice: the second would go through the first ---

struct Twice {
    NodeKind first;
    NodeKind second;
};

constexpr Twice pairs[] = {
    {NodeKind::symlink, NodeKind::file},   {NodeKind::symlink, NodeKind::directory},
    {NodeKind::symlink, NodeKind::fifo},   {NodeKind::symlink, NodeKind::symlink},
    {NodeKind::directory, NodeKind::file}, {NodeKind::directory, NodeKind::symlink},
    {NodeKind::file, NodeKind::symlink},   {NodeKind::fifo, NodeKind::file},
    {NodeKind::file, NodeKind::directory}, {NodeKind::file, NodeKind::file},
};

HostileCase twice_in_a_piece(Twice const& twice) {
    auto const craft = [twice](HostileRepo& repo, Scene const& scene) {
        repo.publish(
            {entry(repo, scene, twice.first, "twice"), entry(repo, scene, twice.second, "twice")});
    };
    return {"Twice" + spelled(twice.first) + spelled(twice.second), Expected::reported,
            "names out of order", craft};
}

HostileCase twice_across_pieces(Twice const& twice) {
    auto const craft = [twice](HostileRepo& repo, Scene const& scene) {
        Content const pieces{
            0,
            {repo.piece({repo.file("a"), entry(repo, scene, twice.first, "twice")}),
             repo.piece({entry(repo, scene, twice.second, "twice")})}};
        repo.publish(repo.folder_of("root", pieces), {10, 10, 10});
    };
    return {"TwiceAcrossPieces" + spelled(twice.first) + spelled(twice.second), Expected::reported,
            "names out of order", craft};
}

HostileCase unsorted(std::string const& label, std::vector<std::string> const& names) {
    auto const craft = [names](HostileRepo& repo, Scene const& scene) {
        Nodes nodes;
        for (auto const& name : names) nodes.push_back(entry(repo, scene, NodeKind::symlink, name));
        repo.publish(nodes);
    };
    return {"Unsorted" + label, Expected::reported, "names out of order", craft};
}

Cases order_cases() {
    Cases cases;
    for (auto const& twice : pairs) {
        cases.push_back(twice_in_a_piece(twice));
        cases.push_back(twice_across_pieces(twice));
    }
    cases.push_back(unsorted("Descending", {"b", "a"}));
    cases.push_back(unsorted("LongerFirst", {"aa", "a"}));
    cases.push_back(unsorted("SignedBytes", {"\xff", "a"}));
    cases.push_back({"FileAndFolderOfOneNameInOtherCase", Expected::whole, "",
                     [](HostileRepo& repo, Scene const& scene) {
                         repo.publish({link_to("NAME", scene.canary()), repo.file("Name"),
                                       repo.folder("name", {repo.file("file")})});
                     }});
    return cases;
}

// --- Links: made as they are, never followed ---

HostileCase link_case(std::string const& label, std::string const& target, Expected expected) {
    auto const craft = [target](HostileRepo& repo, Scene const& scene) {
        std::string where = target;
        if (where == "canary") where = scene.canary();
        repo.publish({repo.folder("folder", {link_to("inner", where)}), link_to("link", where),
                      repo.file("zfile")});
    };
    return {"Link" + label, expected, "", craft};
}

HostileCase sub_path_case(std::string const& label, std::string const& sub_path) {
    auto const craft = [](HostileRepo& repo, Scene const& scene) {
        repo.publish({repo.folder("folder", {repo.file("file")}), link_to("link", scene.canary()),
                      link_to("to folder", "folder")});
    };
    HostileCase hostile{"SubPath" + label, Expected::reported, "has nothing at", craft};
    hostile.sub_path = sub_path;
    return hostile;
}

Cases link_cases() {
    return {link_case("Absolute", "canary", Expected::whole),
            link_case("Relative", "../../canary", Expected::whole),
            link_case("ToItself", "link", Expected::whole),
            link_case("ToTheTarget", ".", Expected::whole),
            link_case("Above", "..", Expected::whole),
            link_case("ToTheRoot", "/", Expected::whole),
            link_case("ToTheWorkingFolder", "/proc/self/cwd", Expected::whole),
            link_case("MagicRoot", "/proc/self/root", Expected::whole),
            link_case("MagicDescriptor", "/proc/self/fd/3", Expected::whole),
            link_case("ToADevice", "/dev/null", Expected::whole),
            link_case("Long", std::string(4095, 'x'), Expected::whole),
            link_case("TooLongForLinux", std::string(4096, 'x'), Expected::reported),
            link_case("OfTheLongestTarget", std::string(65536, 'x'), Expected::reported),
            link_case("BeyondTheLimit", std::string(65537, 'x'), Expected::reported),
            link_case("Empty", "", Expected::reported),
            link_case("WithAZero", std::string("a\0b", 3), Expected::reported),
            sub_path_case("ThroughALink", "link/file"),
            sub_path_case("ThroughALinkInside", "to folder/file"),
            sub_path_case("Above", "../canary/file"),
            sub_path_case("UpAndDown", "folder/../../canary/file"),
            sub_path_case("ThroughAFile", "folder/file/x")};
}

// --- Something is in the way: links to the canary above all ---

struct InTheWay {
    std::string label;
    std::function<void(Scene const&, std::string const& path)> make;
};

void put_special(std::string const& path, mode_t type) {
    ASSERT_EQ(::mknod(path.c_str(), type | 0640, makedev(1, 3)), 0);
}

std::vector<InTheWay> things_in_the_way() {
    auto const link = [](std::string const& label, auto const& target) {
        return InTheWay{label, [target](Scene const& scene, std::string const& path) {
                            make_symlink(path, target(scene));
                        }};
    };
    return {
        link("LinkToFile", [](Scene const& s) { return s.canary() + "/file"; }),
        link("LinkToFolder", [](Scene const& s) { return s.canary() + "/folder"; }),
        link("RelativeLink", [](Scene const&) { return "../../canary/folder"; }),
        link("LinkToNothing", [](Scene const& s) { return s.canary() + "/new"; }),
        link("MagicLink", [](Scene const& s) { return "/proc/self/root" + s.canary(); }),
        {"HardLink",
         [](Scene const& scene, std::string const& path) {
             ASSERT_EQ(::link((scene.canary() + "/shared").c_str(), path.c_str()), 0);
         }},
        {"Folder",
         [](Scene const& scene, std::string const& path) {
             make_folder(path + "/inner");
             make_symlink(path + "/inner/link", scene.canary());
             make_symlink(path + "/file", scene.canary() + "/file");
         }},
        {"SetIdFile",
         [](Scene const&, std::string const& path) {
             write_file(path, "set-id");
             set_mode(path, 06755);
         }},
        {"Fifo", [](Scene const&, std::string const& path) { put_special(path, S_IFIFO); }},
        {"Socket", [](Scene const&, std::string const& path) { put_special(path, S_IFSOCK); }},
        {"Device", [](Scene const&, std::string const& path) { put_special(path, S_IFCHR); }},
    };
}

HostileCase in_the_way(InTheWay const& thing, NodeKind kind) {
    auto const craft = [kind](HostileRepo& repo, Scene const& scene) {
        repo.publish({entry(repo, scene, kind, "entry"), repo.file("zlast")});
    };
    auto const prepare = [thing](Scene const& scene) {
        thing.make(scene, scene.target() + "/entry");
    };
    return {thing.label + "InTheWayOf" + spelled(kind), Expected::either, "", craft, prepare};
}

// One level deeper, and with further names.
HostileCase in_the_way_of_links(InTheWay const& thing) {
    auto const craft = [](HostileRepo& repo, Scene const&) {
        Nodes const names = linked({repo.file("entry"), repo.file("entry2"), repo.file("entry3")});
        repo.publish({repo.folder("folder", names)});
    };
    auto const prepare = [thing](Scene const& scene) {
        make_folder(scene.target() + "/folder");
        thing.make(scene, scene.target() + "/folder/entry");
        thing.make(scene, scene.target() + "/folder/entry3");
    };
    return {thing.label + "InTheWayOfHardLinks", Expected::either, "", craft, prepare};
}

Cases way_cases() {
    Cases cases;
    for (auto const& thing : things_in_the_way()) {
        for (auto const kind : {NodeKind::file, NodeKind::directory, NodeKind::symlink,
                                NodeKind::fifo, NodeKind::char_device}) {
            cases.push_back(in_the_way(thing, kind));
        }
        cases.push_back(in_the_way_of_links(thing));
    }
    return cases;
}

// --- Hard links that are none ---

HostileCase link_group(std::string const& label, Expected expected,
                       std::function<Nodes(HostileRepo&, Scene const&)> const& nodes) {
    return {"Group" + label, expected, "",
            [nodes](HostileRepo& repo, Scene const& scene) { repo.publish(nodes(repo, scene)); }};
}

Nodes of_links(Nodes nodes, std::uint64_t links) {
    nodes = linked(std::move(nodes));
    for (auto& node : nodes) node.links = links;
    return nodes;
}

Cases group_cases() {
    Cases cases;
    for (auto const kind : every_kind) {
        cases.push_back(link_group(
            "Of" + spelled(kind), Expected::whole, [kind](HostileRepo& repo, Scene const& scene) {
                return linked({entry(repo, scene, kind, "a"), entry(repo, scene, kind, "b"),
                               entry(repo, scene, kind, "c")});
            }));
        cases.push_back(link_group(
            "LinkThen" + spelled(kind), Expected::whole,
            [kind](HostileRepo& repo, Scene const& scene) {
                return linked({link_to("a", scene.canary()), entry(repo, scene, kind, "b")});
            }));
    }
    cases.push_back(link_group("OfOneName", Expected::whole, [](HostileRepo& repo, Scene const&) {
        return of_links({repo.file("a")}, 2);
    }));
    cases.push_back(link_group("OfNoName", Expected::whole, [](HostileRepo& repo, Scene const&) {
        return of_links({repo.file("a"), repo.file("b")}, 0);
    }));
    cases.push_back(link_group("OfTooMany", Expected::whole, [](HostileRepo& repo, Scene const&) {
        return of_links({repo.file("a"), repo.file("b"), repo.file("c")}, UINT64_MAX);
    }));
    cases.push_back(link_group("OfTooFew", Expected::whole, [](HostileRepo& repo, Scene const&) {
        return of_links({repo.file("a"), repo.file("b"), repo.file("c"), repo.file("d")}, 2);
    }));
    cases.push_back(
        link_group("OfOtherContents", Expected::whole, [](HostileRepo& repo, Scene const&) {
            return linked({repo.file("a", "one"), repo.file("b", "two"), repo.file("c", "more")});
        }));
    // The first can be read, the second says that it is the same and has nothing.
    cases.push_back(
        link_group("OfAMissingSecond", Expected::whole, [](HostileRepo& repo, Scene const&) {
            Node const first = repo.file("a");
            Node second = renamed(first, "b");
            second.content.entries[0].id = ChunkId{};
            return linked({first, second});
        }));
    cases.push_back(
        link_group("OfAMissingFirst", Expected::reported, [](HostileRepo& repo, Scene const&) {
            Node const second = repo.file("b");
            Node first = renamed(second, "a");
            first.content.entries[0].id = ChunkId{};
            return linked({first, second});
        }));
    cases.push_back(
        link_group("OfOtherRights", Expected::whole, [](HostileRepo& repo, Scene const&) {
            Nodes nodes = linked({repo.file("a"), repo.file("b")});
            nodes[1].mode = 06777;
            nodes[1].uid = 1234;
            return nodes;
        }));
    cases.push_back(link_group("OfFolders", Expected::whole, [](HostileRepo& repo, Scene const&) {
        return linked({repo.folder("a", {repo.file("f")}), repo.folder("b", {})});
    }));
    return cases;
}

// --- What gives rights ---

HostileCase of_mode(NodeKind kind, std::uint32_t mode, Expected expected) {
    auto const craft = [kind, mode](HostileRepo& repo, Scene const& scene) {
        Node node = entry(repo, scene, kind, "entry");
        node.mode = mode;
        repo.publish({node});
    };
    return {"Mode" + std::to_string(mode) + spelled(kind), expected, "", craft};
}

struct Attribute {
    std::string label;
    std::string name;
    std::string value;
    Expected expected;
};

std::string const capability{"\x01\0\0\x02\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff\0\0\0\0", 20};
// owner rwx, group rwx, mask rwx, others rwx
std::string const access_list{
    "\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x04\0\x07\0\xff\xff\xff\xff"
    "\x10\0\x07\0\xff\xff\xff\xff\x20\0\x07\0\xff\xff\xff\xff",
    36};

std::vector<Attribute> attributes() {
    return {
        {"Capability", "security.capability", capability, Expected::whole},
        {"CapabilityMalformed", "security.capability", "x", Expected::whole},
        {"CapabilityThenZero", std::string("security.capability\0x", 21), capability,
         Expected::reported},
        {"Selinux", "security.selinux", "system_u:object_r:x:s0", Expected::whole},
        {"Ima", "security.ima", "x", Expected::whole},
        {"Trusted", "trusted.overlay.opaque", "y", Expected::whole},
        {"TrustedAlone", "trusted.", "y", Expected::whole},
        {"AccessList", "system.posix_acl_access", access_list, Expected::whole},
        {"AccessListMalformed", "system.posix_acl_access", "x", Expected::reported},
        {"AccessListHuge", "system.posix_acl_access", std::string(70'000, 'x'), Expected::reported},
        {"Unknown", "system.nothing", "x", Expected::reported},
        {"NoNamespace", "x", "x", Expected::reported},
        {"NoName", "", "x", Expected::reported},
        {"OnlyNamespace", "user.", "x", Expected::reported},
        {"OtherCase", "SECURITY.capability", capability, Expected::reported},
        {"OddBytes", "user.\xff\n/..", "x", Expected::either},
        {"Zero", std::string("user.a\0b", 8), "x", Expected::reported},
        {"Long", "user." + std::string(250, 'n'), "x", Expected::either},
        {"TooLong", "user." + std::string(251, 'n'), "x", Expected::reported},
        {"Huge", "user.x", std::string(1 << 20, 'x'), Expected::reported},
        {"BeyondTheLimit", "user.x", std::string((1 << 20) + 1, 'x'), Expected::reported}};
}

HostileCase of_attribute(Attribute const& attribute, NodeKind kind) {
    auto const craft = [attribute, kind](HostileRepo& repo, Scene const& scene) {
        Node node = entry(repo, scene, kind, "entry");
        ByteView const value = as_bytes(attribute.value);
        node.xattrs = {{attribute.name, {value.begin(), value.end()}}};
        repo.publish({node});
    };
    bool const is_certain = kind == NodeKind::file || kind == NodeKind::directory;
    return {"Attribute" + attribute.label + spelled(kind),
            is_certain ? attribute.expected : Expected::either, "", craft};
}

HostileCase of_attributes(std::string const& label, Expected expected, std::size_t count,
                          std::size_t size) {
    auto const craft = [count, size](HostileRepo& repo, Scene const&) {
        Node file = repo.file("file");
        for (std::size_t i = 0; i < count; ++i)
            file.xattrs.push_back({"user." + std::to_string(100'000 + i), Bytes(size)});
        repo.publish({file});
    };
    return {"Attributes" + label, expected, "", craft};
}

Cases rights_cases() {
    Cases cases;
    for (auto const mode : {04755U, 02755U, 06777U, 07777U}) {
        cases.push_back(of_mode(NodeKind::file, mode, Expected::whole));
        cases.push_back(of_mode(NodeKind::directory, mode, Expected::whole));
        cases.push_back(of_mode(NodeKind::fifo, mode, Expected::whole));
        cases.push_back(of_mode(NodeKind::socket, mode, Expected::whole));
        cases.push_back(of_mode(NodeKind::symlink, mode, Expected::whole));
        cases.push_back(of_mode(NodeKind::char_device, mode, Expected::whole));
    }
    cases.push_back(of_mode(NodeKind::file, 0, Expected::whole));
    cases.push_back(of_mode(NodeKind::directory, 0, Expected::whole));
    cases.push_back(of_mode(NodeKind::file, 010000, Expected::reported));
    cases.push_back(of_mode(NodeKind::file, 0104755, Expected::reported));
    cases.push_back(of_mode(NodeKind::file, UINT32_MAX, Expected::reported));
    for (auto const& attribute : attributes()) {
        for (auto const kind :
             {NodeKind::file, NodeKind::directory, NodeKind::symlink, NodeKind::fifo})
            cases.push_back(of_attribute(attribute, kind));
    }
    cases.push_back(of_attributes("VeryMany", Expected::either, 4096, 100));
    cases.push_back(of_attributes("TooMany", Expected::reported, 4097, 1));
    cases.push_back(of_attributes("TooLarge", Expected::reported, 3, 1 << 20));
    return cases;
}

// --- Fields at their ends ---

HostileCase of_field(std::string const& label, Expected expected,
                     std::function<void(Node&)> const& change) {
    auto const craft = [change](HostileRepo& repo, Scene const& scene) {
        Nodes nodes;
        for (auto const kind :
             {NodeKind::file, NodeKind::directory, NodeKind::symlink, NodeKind::fifo}) {
            nodes.push_back(entry(repo, scene, kind, spelled(kind)));
            change(nodes.back());
        }
        std::sort(nodes.begin(), nodes.end(),
                  [](Node const& a, Node const& b) { return a.name < b.name; });
        repo.publish(nodes);
    };
    return {"Field" + label, expected, "", craft};
}

Cases field_cases() {
    constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
    constexpr auto latest = std::numeric_limits<std::int64_t>::max();
    Cases cases;
    for (auto const& [label, seconds] :
         std::map<std::string, std::int64_t>{{"Earliest", earliest},
                                             {"Latest", latest},
                                             {"Before1901", -(std::int64_t{1} << 31) - 1},
                                             {"After2446", std::int64_t{1} << 35}}) {
        cases.push_back(of_field("Time" + label, Expected::whole, [seconds = seconds](Node& node) {
            node.mtime = node.ctime = {seconds, 999'999'999};
        }));
    }
    cases.push_back(of_field("NanosecondsOmit", Expected::reported,
                             [](Node& node) { node.mtime.nanoseconds = (1U << 30U) - 2; }));
    cases.push_back(of_field("NanosecondsNow", Expected::reported,
                             [](Node& node) { node.mtime.nanoseconds = (1U << 30U) - 1; }));
    cases.push_back(of_field("LargestOwner", Expected::either,
                             [](Node& node) { node.uid = node.gid = UINT32_MAX; }));
    cases.push_back(of_field("AlmostLargestOwner", Expected::either,
                             [](Node& node) { node.uid = node.gid = UINT32_MAX - 1; }));
    cases.push_back(of_field("OwnerOfOddName", Expected::whole, [](Node& node) {
        node.user = std::string("root\0:x", 7);
        node.group = "../../etc/group\n";
    }));
    cases.push_back(of_field("OwnerOfLongName", Expected::whole,
                             [](Node& node) { node.user = node.group = std::string(1024, 'u'); }));
    cases.push_back(of_field("OwnerOfTooLongName", Expected::reported,
                             [](Node& node) { node.user = std::string(1025, 'u'); }));
    cases.push_back(
        of_field("UnknownFlags", Expected::reported, [](Node& node) { node.flags = 16; }));
    cases.push_back(of_field("UnstableFlag", Expected::whole,
                             [](Node& node) { node.flags = node_flags::unstable; }));
    cases.push_back(of_field("EveryFlag", Expected::reported, [](Node& node) { node.flags = 15; }));
    cases.push_back(of_field("LargestInode", Expected::whole, [](Node& node) {
        node.inode = node.device = UINT64_MAX;
        node.links = 1;
    }));
    for (int const kind : {0, 8, 128, 255}) {
        cases.push_back(of_field("Kind" + std::to_string(kind), Expected::reported,
                                 [kind](Node& node) { node.kind = static_cast<NodeKind>(kind); }));
    }
    return cases;
}

// --- What is left in the target ---

class HostileTarget : public testing::Test {
protected:
    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "needs root: to be able to do harm";
    }
    RestoreResult restore(Overwrite overwrite = Overwrite::always) {
        RestoreRequest request;
        request.from = repo_->find("latest");
        request.target = scene_.target();
        request.overwrite = overwrite;
        request.threads = 2;
        return repo_->restore(request);
    }
    std::string at(std::string const& name) const { return scene_.target() + "/" + name; }
    std::vector<std::string> failed(RestoreResult const& result) const {
        std::vector<std::string> paths;
        for (auto const& failure : result.failures) paths.push_back(failure.path);
        return paths;
    }

    Scene scene_;
    HostileRepo repo_;
};

using Paths = std::vector<std::string>;

TEST_F(HostileTarget, KeepsAFurtherNameWhenTheFirstIsInTheWay) {
    make_folder(at("a/inner"));
    repo_.publish(linked({repo_.file("a"), repo_.file("b"), repo_.file("c")}));
    EXPECT_EQ(failed(restore()), Paths{"a"});
    EXPECT_EQ(read_file(at("b")), "hostile");
    EXPECT_EQ(std::filesystem::hard_link_count(at("b")), 2U);
}

TEST_F(HostileTarget, DoesNotSpreadADamagedFileToItsFurtherNames) {
    write_file(at("a"), "another");
    Node const good = repo_.file("b");
    Node first = renamed(good, "a");
    first.content.entries[0].id = ChunkId{};
    repo_.publish(linked({first, good}));
    auto const result = restore();
    EXPECT_EQ(result.damaged.size(), 1U);
    EXPECT_EQ(failed(result), Paths{"b"});
    EXPECT_FALSE(std::filesystem::exists(at("b")));
}

TEST_F(HostileTarget, LinksNoDeviceThatWasThereBefore) {
    put_special(at("a"), S_IFCHR);
    repo_.publish(linked({device_of("a", NodeKind::char_device, makedev(1, 3)),
                          device_of("b", NodeKind::char_device, makedev(1, 3))}));
    auto const result = restore();
    EXPECT_EQ(result.withheld.devices, 1U);  // the other is there
    EXPECT_EQ(failed(result), Paths{});
    EXPECT_FALSE(std::filesystem::exists(at("b")));
}

TEST_F(HostileTarget, TakesRightsFromAFileThatItRewrites) {
    write_file(at("set-id"), std::string(2U << 20U, 't'));  // rewritten where it is
    set_mode(at("set-id"), 06755);
    Node damaged = repo_.file("set-id");
    damaged.content.entries[0].id = ChunkId{};
    repo_.publish({damaged});
    EXPECT_EQ(restore().damaged.size(), 1U);
    EXPECT_EQ(scene_.rights(), std::set<std::string>{});
}

TEST_F(HostileTarget, LeavesNoFileWhoseSizeCannotBeSet) {
    Node file = repo_.file("file");
    file.size = INT64_MAX;
    file.holes = {{7, INT64_MAX - 7}};
    repo_.publish({file});
    struct rlimit before {};
    ::getrlimit(RLIMIT_FSIZE, &before);
    struct rlimit const limit{1U << 20U, before.rlim_max};
    auto* const handler = ::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
    EXPECT_EQ(failed(restore()), Paths{"file"});
    ::setrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, handler);
    EXPECT_FALSE(std::filesystem::exists(at("file")));
}

TEST_F(HostileTarget, DumpsNoMoreThanAFileSays) {
    Node file = repo_.file("file", random_bytes(5, 10'000));
    file.size = file.content.entries[0].weight = 10;
    repo_.publish({file});
    auto const snapshot = repo_->find("latest").snapshot;
    EXPECT_EQ(failure_of([&] { repo_->dumped(snapshot, "file"); }), RepositoryFailure::corrupt);
}

TEST_F(HostileTarget, GetsRightsWhereOneAsksForThem) {
    Node file = repo_.file("file");
    file.mode = 04755;
    repo_.publish({device_of("device", NodeKind::char_device, makedev(1, 3)), file});
    RestoreRequest request;
    request.from = repo_->find("latest");
    request.target = scene_.target();
    request.privileged = true;
    repo_->restore(request);
    EXPECT_EQ(scene_.rights().size(), 2U);
}

class HostileTree : public testing::TestWithParam<HostileCase> {};

TEST_P(HostileTree, StaysInTheTarget) {
    run_case(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Names, HostileTree, testing::ValuesIn(names_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Order, HostileTree, testing::ValuesIn(order_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Links, HostileTree, testing::ValuesIn(link_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Way, HostileTree, testing::ValuesIn(way_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Groups, HostileTree, testing::ValuesIn(group_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Rights, HostileTree, testing::ValuesIn(rights_cases()), name_of);
INSTANTIATE_TEST_SUITE_P(Fields, HostileTree, testing::ValuesIn(field_cases()), name_of);

}  // namespace
}  // namespace coffre
