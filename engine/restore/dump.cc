// One file, or a tree as tar, to a sink.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

#include "engine/repository/tree_reader.h"
#include "engine/restore.h"
#include "engine/restore/extents.h"
#include "engine/restore/link_groups.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t cache = 64 * limits::mib;
constexpr std::size_t record_size = 512;
constexpr std::size_t name_field = 100;
constexpr std::size_t owner_field = 31;
constexpr std::uint64_t octal_size_limit = 077777777777;  // 11 digits
constexpr std::uint64_t octal_id_limit = 07777777;        // 7 digits

using Sink = std::function<void(ByteView)>;

void write_zeros(std::uint64_t size, Sink const& write) {
    static Bytes const zeros(limits::mib);
    while (size > 0) {
        auto const part = ByteView(zeros).first(std::min<std::uint64_t>(size, zeros.size()));
        write(part);
        size -= part.size();
    }
}

void write_contents(ChunkReader& reader, Node const& node, Sink const& write) {
    FileHasher hasher;
    std::uint64_t written = 0;  // in the file
    auto const fill_to = [&](std::uint64_t offset) {
        write_zeros(offset - written, write);
        written = offset;
    };
    std::uint64_t offset = 0;  // in the content
    ContentCursor chunks(reader, node.content);
    while (auto const entry = chunks.next()) {
        Bytes const bytes = reader.read(PackKind::data, entry->id);
        if (bytes.size() != entry->weight) {
            throw corrupt("chunk " + entry->id.hex() + ": has another size");
        }
        hasher.update(bytes);
        each_extent(node.holes, offset, bytes.size(),
                    [&](std::uint64_t at, std::uint64_t begin, std::uint64_t size) {
                        fill_to(at);
                        write(ByteView(bytes).subspan(begin, size));
                        written += size;
                    });
        offset += bytes.size();
    }
    fill_to(node.size);
    if (hasher.hash() != node.hash) {
        throw corrupt("\"" + node.name + "\": its chunks do not add up to the file");
    }
}

// "length key=value\n", where the length counts itself.
std::string pax_record(std::string const& key, std::string const& value) {
    std::size_t const rest = key.size() + value.size() + 3;
    std::size_t length = rest + 1;
    while (std::to_string(length).size() + rest != length)
        length = std::to_string(length).size() + rest;
    return std::to_string(length) + " " + key + "=" + value + "\n";
}

// Source: GNU tar, which reads it back: a key ends at the first "=".
std::string in_key(std::string const& attribute) {
    std::string text;
    for (char const c : attribute) {
        text += c == '=' ? "%3D" : c == '%' ? "%25" : std::string(1, c);
    }
    return text;
}

// Where there is an ACL, the group's bits of the mode are its mask: whoever unpacks the archive
// without ACLs must not give that to the whole group. Source: acl_ea.h of libacl.
std::uint64_t mode_without_acl(Node const& node) {
    constexpr std::uint16_t owning_group = 0x04;
    auto const acl = std::find_if(node.xattrs.begin(), node.xattrs.end(), [](Xattr const& x) {
        return x.name == "system.posix_acl_access";
    });
    if (acl == node.xattrs.end() || acl->value.size() % 8 != 4) return node.mode;
    Reader in(acl->value, "ACL");
    in.u32();  // version
    while (in.remaining() > 0) {
        auto const tag = in.u16();
        std::uint64_t const rights = in.u16();
        in.u32();  // of whom
        if (tag == owning_group) return node.mode & ~(S_IRWXG & ~(rights << 3U));
    }
    return node.mode;
}

char type_of(Node const& node) {
    switch (node.kind) {
        case NodeKind::directory:
            return '5';
        case NodeKind::symlink:
            return '2';
        case NodeKind::char_device:
            return '3';
        case NodeKind::block_device:
            return '4';
        case NodeKind::fifo:
            return '6';
        default:
            return '0';
    }
}

// Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Extended Header".
class TarWriter {
public:
    TarWriter(ChunkReader& reader, Sink const& write) : reader_(reader), write_(write) {}

    void add(std::string const& path, Node const& node) {
        if (node.kind == NodeKind::socket) return;  // tar has no such thing
        if (auto const first = links_.first_of(node, path)) {
            Node link = node;
            link.target = *first;
            link.size = 0;
            return write_headers(path, '1', link);
        }
        write_headers(node.is_directory() ? path + "/" : path, type_of(node), node);
        if (!node.is_file()) return;
        damage_at(path, [&] { write_contents(reader_, node, write_); });
        pad(node.size);
    }

    void finish() { write_(Bytes(2 * record_size)); }

private:
    void write_headers(std::string const& name, char type, Node const& node) {
        std::string const extended = extensions(name, node);
        write_header("pax", 'x', extended.size(), Node{});
        write_padded(as_bytes(extended));
        write_header(name, type, node.is_file() ? node.size : 0, node);
    }

    // Attributes as GNU tar writes them.
    static std::string extensions(std::string const& name, Node const& node) {
        std::string text;
        for (auto const& attribute : node.xattrs) {
            text += pax_record("SCHILY.xattr." + in_key(attribute.name), to_text(attribute.value));
        }
        if (name.size() > name_field) text += pax_record("path", name);
        if (node.target.size() > name_field) text += pax_record("linkpath", node.target);
        if (node.size > octal_size_limit) text += pax_record("size", std::to_string(node.size));
        if (node.uid > octal_id_limit) text += pax_record("uid", std::to_string(node.uid));
        if (node.gid > octal_id_limit) text += pax_record("gid", std::to_string(node.gid));
        if (node.user.size() > owner_field) text += pax_record("uname", node.user);
        if (node.group.size() > owner_field) text += pax_record("gname", node.group);
        text += pax_record("mtime", decimal(node.mtime));
        return text;
    }

    // A negative time with a fraction counts towards zero: -1.5 is half a second before -1.
    static std::string decimal(TimePoint const& time) {
        if (time.seconds >= 0 || time.nanoseconds == 0) {
            return fmt::format("{}.{:09}", time.seconds, time.nanoseconds);
        }
        return fmt::format("-{}.{:09}", -(time.seconds + 1), 1'000'000'000 - time.nanoseconds);
    }

    static std::string octal(std::uint64_t value, std::size_t digits, std::uint64_t limit) {
        return fmt::format("{:0{}o}", value > limit ? 0 : value, digits);
    }

    void write_header(std::string const& name, char type, std::uint64_t size, Node const& node) {
        std::array<char, record_size> header{};
        auto const put = [&](std::size_t at, std::size_t field, std::string const& text) {
            std::copy_n(text.begin(), std::min(field, text.size()), header.begin() + at);
        };
        std::uint64_t const seconds =
            node.mtime.seconds < 0 ? 0 : static_cast<std::uint64_t>(node.mtime.seconds);
        put(0, name_field, name);
        put(100, 8, octal(mode_without_acl(node), 7, 07777));
        put(108, 8, octal(node.uid, 7, octal_id_limit));
        put(116, 8, octal(node.gid, 7, octal_id_limit));
        put(124, 12, octal(size, 11, octal_size_limit));
        put(136, 12, octal(seconds, 11, octal_size_limit));
        put(148, 8, "        ");
        header[156] = type;
        put(157, name_field, node.target);
        put(257, 8, std::string("ustar\00000", 8));
        put(265, owner_field, node.user);
        put(297, owner_field, node.group);
        put(329, 8, octal(major(node.device_number), 7, octal_id_limit));
        put(337, 8, octal(minor(node.device_number), 7, octal_id_limit));
        unsigned sum = 0;
        for (char const c : header) sum += static_cast<unsigned char>(c);
        put(148, 8, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
        write_(std::as_bytes(std::span(header)));
    }

    void write_padded(ByteView bytes) {
        write_(bytes);
        pad(bytes.size());
    }
    void pad(std::uint64_t size) {
        std::size_t const over = size % record_size;
        if (over != 0) write_(Bytes(record_size - over));
    }

    ChunkReader& reader_;
    Sink const& write_;
    LinkGroups links_;
};

RepositoryError no_file(std::string const& message) {
    return {RepositoryFailure::failed, message};
}

}  // namespace

void dump_file(Repository& repository, Snapshot const& snapshot, std::string const& path,
               Sink const& write) {
    with_index([&] {
        repository.refresh_index();
        ChunkReader reader(repository, cache);
        auto const node = find_node(reader, snapshot.root, path);
        if (!node) throw no_file("the snapshot has no file \"" + path + "\"");
        if (node->kind == NodeKind::symlink)
            throw no_file("\"" + path + "\" is a symbolic link to \"" + node->target + "\"");
        if (!node->is_file()) throw no_file("\"" + path + "\" is no regular file");
        damage_at(path, [&] { write_contents(reader, *node, write); });
    });
}

void dump_tar(Repository& repository, Snapshot const& snapshot, std::string const& path,
              Sink const& write) {
    with_index([&] {
        repository.refresh_index();
        ChunkReader contents(repository, cache);
        TarWriter tar(contents, write);
        std::optional<std::size_t> above;  // how much of the paths lies above what was asked for
        walk_snapshot(repository, snapshot, path, [&](std::string const& at, Node const& node) {
            if (!above) above = at.rfind('/') == std::string::npos ? 1 : at.rfind('/') + 1;
            tar.add(at.size() < *above ? "." : at.substr(*above), node);
            return true;
        });
        tar.finish();
    });
}

}  // namespace coffre
