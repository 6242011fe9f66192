#include "engine/crypto/key_ring.h"

#include <sodium.h>

#include "engine/crypto/hash.h"
#include "engine/crypto/kdf.h"
#include "engine/crypto/seal.h"
#include "engine/error.h"
#include "format/gc_log.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::uint32_t object_epoch = 1;

[[noreturn]] void fail_corrupt(std::string const& name, std::string const& what) {
    throw corrupt(name + ": " + what);
}

std::string_view label_of(ObjectKind kind) {
    switch (kind) {
        case ObjectKind::config:
            return "coffre-config";
        case ObjectKind::session:
            return "coffre-session";
        case ObjectKind::snapshot:
            return "coffre-snapshot";
        case ObjectKind::forget:
            return "coffre-forget";
        case ObjectKind::gc_log:
            return "coffre-gclog";
        case ObjectKind::bundle:
        case ObjectKind::pack:
        case ObjectKind::parity:
        case ObjectKind::key_slot:
            break;
    }
    return "coffre-index";
}

Bytes object_prefix(ObjectKind kind) {
    Writer out;
    write_object_header(out, kind);
    out.u32(object_epoch);
    return out.take();
}

Bytes signed_message(ByteView authenticated, ByteView content) {
    Bytes message(authenticated.begin(), authenticated.end());
    append(message, content);
    return message;
}

Bytes wrap_binding(RepositoryId const& repository, WrappedKey const& key) {
    Writer out;
    out.raw(as_bytes("coffre-wrap"));
    out.id(repository);
    out.id(key.id);
    out.u8(static_cast<std::uint8_t>(key.kind));
    out.u8(static_cast<std::uint8_t>(key.cipher));
    out.u32(key.epoch);
    out.u8(static_cast<std::uint8_t>(key.type));
    return out.take();
}

std::string_view wrap_label(PackKind kind) {
    return kind == PackKind::data ? "coffre-wrap-data" : "coffre-wrap-meta";
}

}  // namespace

KeyRing::KeyRing(Mode mode, RepositoryId repository, std::vector<MasterSecret> const& masters)
    : mode_(mode), repository_(repository) {
    for (auto const& master : masters) masters_.emplace(master.epoch, SecretKey(master.secret));
    for (auto const kind : {ObjectKind::config, ObjectKind::session, ObjectKind::snapshot,
                            ObjectKind::forget, ObjectKind::gc_log}) {
        object_keys_.emplace(kind, derive(label_of(kind)));
    }
    index_key_ = derive("coffre-index");
    sign_seed_ = derive("coffre-sign");
    box_seed_ = derive("coffre-box");
    sign_public_ = sign_public_key(sign_seed_);
}

SecretKey const& KeyRing::master(std::uint32_t epoch) const {
    auto const found = masters_.find(epoch);
    if (found == masters_.end()) {
        throw FormatError("needs the master secret of epoch " + std::to_string(epoch) +
                          ", which this key does not open");
    }
    return found->second;
}

SecretKey KeyRing::derive(std::string_view label) const {
    return subkey(master(1), label);
}

SecretMark KeyRing::mark(std::uint32_t epoch) const {
    return SecretMark::from(subkey(master(epoch), "coffre-seen").view());
}

std::vector<MasterSecret> KeyRing::master_secrets() const {
    std::vector<MasterSecret> masters;
    for (auto const& [epoch, secret] : masters_) masters.emplace_back(epoch, secret.copy());
    return masters;
}

SecretKey const& KeyRing::object_key(ObjectKind kind) const {
    auto const found = object_keys_.find(kind);
    return found == object_keys_.end() ? index_key_ : found->second;
}

Key KeyRing::signing_public_key() const {
    return sign_public_;
}
Key KeyRing::boxing_public_key() const {
    return box_public_key(box_seed_);
}

Bytes KeyRing::seal_object(ObjectKind kind, std::string_view name, ByteView content) const {
    Bytes object = object_prefix(kind);
    Bytes const bound = authenticated_data(kind, repository_, name, object);
    append(object, seal(mode_, object_key(kind), bound, content));
    Writer checksum;
    checksum.u64(xxh3(object));
    append(object, checksum.view());
    return object;
}

Bytes KeyRing::seal_signed_object(ObjectKind kind, std::string_view name, ByteView content) const {
    Bytes const bound = authenticated_data(kind, repository_, name, object_prefix(kind));
    Bytes with_signature(content.begin(), content.end());
    append(with_signature, sign(sign_seed_, signed_message(bound, content)));
    return seal_object(kind, name, with_signature);
}

Bytes KeyRing::open_checked(ObjectKind kind, std::string const& name, ByteView object) const {
    constexpr std::size_t prefix_size = object_header_size + 4;
    if (object.size() < prefix_size + 8) fail_corrupt(name, "cut off");
    if (has_damaged_version(object)) fail_corrupt(name, "its version is damaged");
    Reader header(object.first(prefix_size), "header");
    read_object_header(header, kind);
    if (auto const epoch = header.u32(); epoch != object_epoch) {
        fail_corrupt(name, "unknown key epoch " + std::to_string(epoch));
    }
    Reader checksum(object.last(8), name);
    ByteView const body = object.first(object.size() - 8);
    if (checksum.u64() != xxh3(body)) fail_corrupt(name, "checksum differs: the object is damaged");
    auto content = unseal(mode_, object_key(kind),
                          authenticated_data(kind, repository_, name, object.first(prefix_size)),
                          body.subspan(prefix_size));
    if (!content) fail_corrupt(name, "not sealed by this repository under this name");
    return std::move(*content);
}

Bytes KeyRing::open_object(ObjectKind kind, std::string const& name, ByteView object) const {
    return naming(name, [&] { return open_checked(kind, name, object); });
}

Bytes KeyRing::open_signed_object(ObjectKind kind, std::string const& name, ByteView object) const {
    Bytes content = open_object(kind, name, object);
    if (content.size() < signature_size) fail_corrupt(name, "signature missing");
    ByteView const all(content);
    ByteView const payload = all.first(all.size() - signature_size);
    Bytes const bound = authenticated_data(kind, repository_, name, object_prefix(kind));
    bool const fits =
        signature_fits(sign_public_, signed_message(bound, payload), all.last(signature_size));
    if (!fits && !mutant("any-signature")) {
        fail_corrupt(name, "signature does not fit");
    }
    content.resize(payload.size());
    return content;
}

Bytes KeyRing::seal_directory(std::string_view pack_name, ByteView pack_header,
                              ByteView content) const {
    return seal(mode_, index_key_,
                authenticated_data(ObjectKind::pack, repository_, pack_name, pack_header), content);
}

Bytes KeyRing::open_directory(std::string const& pack_name, ByteView pack_header,
                              ByteView sealed) const {
    auto content =
        unseal(mode_, index_key_,
               authenticated_data(ObjectKind::pack, repository_, pack_name, pack_header), sealed);
    if (!content)
        fail_corrupt(pack_name, "directory is not sealed by this repository for this pack");
    return std::move(*content);
}

Bytes KeyRing::seal_config(ByteView prefix, ByteView content) const {
    return seal(mode_, object_key(ObjectKind::config),
                authenticated_data(ObjectKind::config, repository_, "config", prefix), content);
}

Bytes KeyRing::open_config(ByteView prefix, ByteView sealed) const {
    auto content =
        unseal(mode_, object_key(ObjectKind::config),
               authenticated_data(ObjectKind::config, repository_, "config", prefix), sealed);
    if (!content) fail_corrupt("config", "not sealed with this repository's key");
    return std::move(*content);
}

SessionKey KeyRing::make_session_key(PackKind kind) const {
    SessionKey key;
    key.kind = kind;
    if (mode_ == Mode::none) return key;
    key.id = random_id<KeyId>();
    key.cipher = fastest_cipher();
    key.secret = SecretKey::random();
    return key;
}

WrappedKey KeyRing::wrap(SessionKey const& key) const {
    WrappedKey wrapped;
    wrapped.id = key.id;
    wrapped.kind = key.kind;
    wrapped.cipher = key.cipher;
    wrapped.epoch = newest_epoch();
    wrapped.type = WrapType::master;
    wrapped.wrapped = seal(Mode::encrypted, subkey(master(wrapped.epoch), wrap_label(key.kind)),
                           wrap_binding(repository_, wrapped), key.secret.view());
    return wrapped;
}

SessionKey KeyRing::unwrap(WrappedKey const& wrapped) const {
    if (wrapped.type != WrapType::master)
        throw FormatError("session key is wrapped for another client");
    auto secret = unseal(Mode::encrypted, subkey(master(wrapped.epoch), wrap_label(wrapped.kind)),
                         wrap_binding(repository_, wrapped), wrapped.wrapped);
    if (!secret || secret->size() != SecretKey::size) {
        throw FormatError("session key is not wrapped for this repository");
    }
    SessionKey key{wrapped.id, wrapped.kind, wrapped.cipher, SecretKey(*secret)};
    wipe(*secret);
    return key;
}

}  // namespace coffre
