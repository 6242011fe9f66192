// Rich values of every struct of format/, for round trips, fuzz seeds and golden bytes.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <limits>

#include "format/bundle.h"
#include "format/gc_log.h"
#include "format/key_slot.h"
#include "format/session.h"
#include "format/snapshot.h"

namespace coffre::samples {

inline Bytes counting(std::size_t size, unsigned first = 0) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(first + i);
    return bytes;
}

template <class IdType>
IdType id(unsigned first) {
    return IdType::from(counting(IdType::size, first));
}

inline Key key(unsigned first) {
    Key key;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(first + i);
    return key;
}

inline Bytes bytes(std::string_view text) {
    ByteView const view = as_bytes(text);
    return {view.begin(), view.end()};
}

inline ConfigPrefix encrypted_prefix() {
    return {id<RepositoryId>(0x10), Mode::encrypted, 0, Key{}};
}
inline ConfigPrefix public_prefix() {
    return {id<RepositoryId>(0x10), Mode::none, 0, key(0x40)};
}

inline ConfigSecrets config_secrets() {
    ConfigSecrets secrets;
    secrets.chunker_key = key(1);
    secrets.id_key = key(2);
    secrets.box_public_key = key(3);
    secrets.sign_public_key = key(4);
    secrets.created_ns = 1'700'000'000'123'456'789;
    return secrets;
}

inline SlotPrefix passphrase_slot() {
    SlotPrefix slot;
    slot.kind = SlotKind::passphrase;
    slot.cost = {3, 64 * 1024};
    slot.epochs = 2;
    slot.salt.fill(std::byte{0x5a});
    slot.commitment = key(0x80);
    return slot;
}

inline SlotPrefix key_file_slot() {
    SlotPrefix slot = passphrase_slot();
    slot.kind = SlotKind::key_file;
    slot.cost = {};
    return slot;
}

inline SlotSecrets slot_secrets() {
    return {{{1, key(7)}, {2, key(8)}}};
}

inline SlotInfo slot_info() {
    return {"cl\xc3\xa9 du serveur", "media1", -5};
}

inline PackHeader pack_header() {
    return {PackKind::meta, id<SessionId>(0x30)};
}

inline WrappedKey wrapped_key(unsigned first, WrapType type = WrapType::master) {
    return {id<KeyId>(first), PackKind::data, Cipher::chacha20_poly1305, 2, type, counting(72)};
}

// A raw block, a bare one, and a delta; with gaps between blocks and between chunks.
inline PackDirectory pack_directory() {
    PackDirectory directory;
    directory.keys = {wrapped_key(1), wrapped_key(50, WrapType::client)};
    BlockRow raw;
    raw.offset = pack_header_size;
    raw.stored_size = 300;
    raw.plain_size = 260;
    raw.key = directory.keys[0].id;
    raw.chunks = {{id<ChunkId>(1), 0, 200}, {id<ChunkId>(2), 210, 50}};
    BlockRow bare;
    bare.offset = 332;
    bare.stored_size = 77;
    bare.plain_size = 5000;
    bare.codec = Codec::zstd;
    bare.chunks = {{id<ChunkId>(3), 0, 5000}};
    BlockRow delta;
    delta.offset = 1000;
    delta.stored_size = 90;
    delta.plain_size = 70'000;
    delta.codec = Codec::zstd_delta;
    delta.key = directory.keys[1].id;
    delta.depth = 8;
    delta.bases = {id<ChunkId>(3), id<ChunkId>(1)};
    delta.chunks = {{id<ChunkId>(4), 0, 70'000}};
    directory.blocks = {raw, bare, delta};
    return directory;
}

inline constexpr std::uint64_t footer_pack_size = 65'536 + 1'000 + 2 * 8 + pack_footer_size;

inline PackFooter pack_footer() {
    return {65'536, 1'000, 66'536, 2, 0x0123456789abcdefU};
}

inline Bundle bundle() {
    return {{id<PackId>(1), id<SessionId>(2), 16'777'216, encode_pack_directory(pack_directory())},
            {id<PackId>(3), SessionId{}, 300, {}}};
}

inline std::vector<ListEntry> list_entries() {
    return {{id<ChunkId>(9), 65'536}, {id<ChunkId>(8), 1}, {id<ChunkId>(7), 500'000}};
}

inline Node node(std::string name, NodeKind kind) {
    Node node;
    node.name = std::move(name);
    node.kind = kind;
    node.mode = 0750;
    node.uid = 1000;
    node.gid = std::numeric_limits<std::uint32_t>::max();
    node.user = "ada";
    node.group = "users";
    node.mtime = {-1, 999'999'999};
    node.ctime = {1'700'000'000, 5};
    node.inode = std::numeric_limits<std::uint64_t>::max();
    node.device = 2049;
    node.links = 2;
    return node;
}

inline Node sparse_file() {
    Node file = node("a file", NodeKind::file);
    file.flags = node_flags::unstable;
    file.mode = 07777;
    file.xattrs = {{"security.capability", counting(20)}, {"user.empty", {}}};
    file.hash = id<FileHash>(0x77);
    file.content = {0, list_entries()};
    file.holes = {{0, 4096}, {8192, 100'000}};
    file.size = file.content.weight() + 104'096;
    return file;
}

inline Node directory(std::string name) {
    Node directory = node(std::move(name), NodeKind::directory);
    directory.flags = node_flags::partial;
    directory.content = {2, {{id<ChunkId>(0x21), 70'000}}};
    directory.digest = id<Digest>(0x31);
    return directory;
}

inline Node symlink() {
    Node link = node("link \xff", NodeKind::symlink);
    link.target = "../somewhere/else";
    return link;
}

inline Node device(std::string name, NodeKind kind) {
    Node device = node(std::move(name), kind);
    device.device_number = 0x801;
    return device;
}

// One node of each kind, ascending.
inline std::vector<Node> nodes() {
    return {sparse_file(),
            directory("dir"),
            node("fifo", NodeKind::fifo),
            symlink(),
            device("null", NodeKind::char_device),
            device("sda", NodeKind::block_device),
            node("socket", NodeKind::socket)};
}

inline Snapshot snapshot() {
    Snapshot snapshot;
    snapshot.root = directory("root");
    snapshot.paths = {"/srv/media", "/srv/www"};
    snapshot.streams = {"library.sql"};
    snapshot.tags = {"nightly", ""};
    snapshot.host = "kallisto";
    snapshot.user = "ada";
    snapshot.program = "coffre 0.1.0";
    snapshot.time_ns = 1'700'000'000'000'000'000;
    snapshot.started_ns = std::numeric_limits<std::int64_t>::min();
    snapshot.finished_ns = std::numeric_limits<std::int64_t>::max();
    snapshot.writer = id<WriterId>(0x61);
    snapshot.sequence = 42;
    snapshot.previous = id<SessionId>(0x62);
    snapshot.parent = id<SessionId>(0x63);
    snapshot.pinned = true;
    snapshot.statistics = {1, 2, 3, 4, 5, 6, 7, 8, 9, 300, 70'000, 12};
    snapshot.failure_count = 3;
    snapshot.failures = {{"/srv/secret", "Permission denied"}};
    snapshot.point = {{"mariadb/position", "binlog.000042:1234"}, {"rows", ""}};
    return snapshot;
}

inline SessionRecord session() {
    return {"kallisto", "5f7e9d1c", 4'026'531'836, 4321, 987'654, 1'700'000'000'000'000'000, 3};
}

inline LogRecord log_record() {
    return {
        LogKind::checkpoint, {id<PackId>(1), id<PackId>(2)}, {id<BundleId>(3)}, {id<SessionId>(4)}};
}

inline ForgetRecord forget() {
    return {1'700'000'000'000'000'000, "keep-daily 7"};
}

}  // namespace coffre::samples
