#include "hostile_tree.h"

#include <zstd.h>

#include "format/limits.h"

namespace coffre::test {

Node node_of(std::string name, NodeKind kind) {
    Node node;
    node.name = std::move(name);
    node.kind = kind;
    node.mode = kind == NodeKind::directory ? 0755 : 0644;
    node.mtime = {1'500'000'000, 7};
    return node;
}

Node link_to(std::string name, std::string target) {
    Node link = node_of(std::move(name), NodeKind::symlink);
    link.target = std::move(target);
    return link;
}

Node device_of(std::string name, NodeKind kind, std::uint64_t number) {
    Node device = node_of(std::move(name), kind);
    device.device_number = number;
    return device;
}

Node renamed(Node node, std::string name) {
    node.name = std::move(name);
    return node;
}

std::vector<Node> linked(std::vector<Node> nodes, std::uint64_t inode) {
    for (auto& node : nodes) {
        node.inode = inode;
        node.links = nodes.size();
    }
    return nodes;
}

HostileRepo::HostileRepo(Mode mode)
    : repo_(mode), session_(random_id<SessionId>()), keys_(repo_->keys()) {}

ChunkId HostileRepo::name(PackKind kind, ByteView plain) const {
    return const_cast<TestRepo&>(repo_)->namer().name(kind, plain);
}

BlockRow& HostileRepo::add_block(PackKind kind, BlockRow row, ByteView content) {
    auto open = open_.find(kind);
    if (open == open_.end()) {
        open = open_.emplace(kind, begin_pack(kind, session_, keys_.wrapped(kind))).first;
    }
    SessionKey const& key = keys_.of(kind);
    row.key = key.id;
    row.stored_size = static_cast<std::uint32_t>(sealed_size(key, content.size()));
    BlockPlace const place = place_block(open->second, std::move(row));
    seal_block(key, repo_->id(), content, place.bytes());
    return open->second.directory.blocks.back();
}

Bytes delta_frame(ByteView plain, ByteView prefix) {
    std::unique_ptr<ZSTD_CCtx, decltype(&::ZSTD_freeCCtx)> const context(::ZSTD_createCCtx(),
                                                                         &::ZSTD_freeCCtx);
    ::ZSTD_CCtx_refPrefix(context.get(), prefix.data(), prefix.size());
    Bytes frame(::ZSTD_compressBound(plain.size()));
    frame.resize(
        ::ZSTD_compress2(context.get(), frame.data(), frame.size(), plain.data(), plain.size()));
    return frame;
}

ChunkId HostileRepo::store(PackKind kind, ByteView plain) {
    ChunkId const id = name(kind, plain);
    if (!stored_.insert(id).second) return id;
    BlockRow row;
    row.plain_size = static_cast<std::uint32_t>(plain.size());
    row.chunks = {{id, 0, row.plain_size}};
    auto const frame = Compressor().compress_if_it_pays(plain, 1);
    if (frame) row.codec = Codec::zstd;
    add_block(kind, std::move(row), frame ? ByteView(*frame) : plain);
    return id;
}

ListEntry HostileRepo::chunk(std::string_view content) {
    return {store(PackKind::data, as_bytes(content)), content.size()};
}

ListEntry HostileRepo::piece(std::vector<Node> const& nodes) {
    return {store(PackKind::meta, encode_tree_piece(nodes)), nodes.size()};
}

ListEntry HostileRepo::recipe(std::uint8_t level, std::vector<ListEntry> const& entries) {
    return {store(PackKind::meta, encode_recipe(level, entries)), Content{0, entries}.weight()};
}

Node HostileRepo::file(std::string name, std::string_view content) {
    Content list;
    if (!content.empty()) list.entries = {chunk(content)};
    Node file = file_of(std::move(name), list, content.size());
    FileHasher hasher;
    hasher.update(as_bytes(content));
    file.hash = hasher.hash();
    return file;
}

Node HostileRepo::file_of(std::string name, Content const& content, std::uint64_t size) {
    Node file = node_of(std::move(name), NodeKind::file);
    file.content = content;
    file.size = size;
    return file;
}

Node HostileRepo::folder(std::string name, std::vector<Node> const& nodes) {
    Node folder = node_of(std::move(name), NodeKind::directory);
    std::vector<ListEntry> pieces;
    Blake3 digest;
    for (std::size_t at = 0; at < nodes.size(); at += limits::list_max_entries) {
        std::size_t const end = std::min<std::size_t>(nodes.size(), at + limits::list_max_entries);
        pieces.push_back(piece({nodes.begin() + static_cast<std::ptrdiff_t>(at),
                                nodes.begin() + static_cast<std::ptrdiff_t>(end)}));
    }
    for (auto const& node : nodes) {
        Writer form;
        write_digest_form(form, node);
        digest.update(form.view());
        ++(node.is_file()        ? counted_.files
           : node.is_directory() ? counted_.directories
                                 : counted_.others);
    }
    folder.content = pieces.size() <= limits::inline_entries ? Content{0, pieces}
                                                             : Content{1, {recipe(0, pieces)}};
    folder.digest = digest.digest();
    return folder;
}

Node HostileRepo::folder_of(std::string name, Content const& content) {
    Node folder = node_of(std::move(name), NodeKind::directory);
    folder.content = content;
    return folder;
}

void HostileRepo::flush() {
    Bundle bundle;
    for (auto& [kind, open] : open_) {
        FinishedPack pack = finish_pack(repo_->keys(), std::move(open));
        repo_.put(pack.name, pack.bytes.view());
        bundle.push_back(std::move(pack.row));
    }
    open_.clear();
    put_bundle(bundle);
}

void HostileRepo::renew_keys() {
    flush();
    keys_ = SessionKeys(repo_->keys());
}

void HostileRepo::put_bundle(Bundle const& bundle) {
    if (bundle.empty()) return;
    std::string const name = names::bundle(random_id<BundleId>());
    repo_.put(name,
              repo_->keys().seal_object(ObjectKind::bundle, name, pad(encode_bundle(bundle))));
}

void HostileRepo::put_snapshot(Snapshot const& snapshot) {
    std::string const name = names::snapshot(session_);
    repo_.put(name, repo_->keys().seal_object(ObjectKind::snapshot, name, encode_slot({snapshot})));
}

void HostileRepo::publish(std::vector<Node> const& top) {
    Node const root = folder("root", top);
    publish(root, counted_);
}

void HostileRepo::publish(Node const& root, Statistics const& told) {
    flush();
    Snapshot snapshot;
    snapshot.root = root;
    snapshot.statistics = told;
    snapshot.host = "hostile";
    snapshot.writer = random_id<WriterId>();
    snapshot.sequence = 1;
    put_snapshot(snapshot);
}

}  // namespace coffre::test
