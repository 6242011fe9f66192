#include "engine/crypto/hash.h"

#include <blake3.h>
#if defined(__x86_64__)
// The same functions by other names: with the widest registers that this processor has.
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include "engine/crypto/kdf.h"
#include "engine/util/raw_bytes.h"
#include "format/object.h"
#include "format/wire.h"

namespace coffre {

namespace {

ChunkId keyed_blake3(SecretKey const& key, ByteView bytes) {
    blake3_hasher hasher;
    ::blake3_hasher_init_keyed(&hasher, key.data());
    ::blake3_hasher_update(&hasher, bytes.data(), bytes.size());
    ChunkId id;
    ::blake3_hasher_finalize(&hasher, raw(std::span<std::byte>(id.bytes)), ChunkId::size);
    return id;
}

}  // namespace

ChunkNamer::ChunkNamer(SecretKey const& id_key)
    : data_key_(subkey(id_key, "coffre-id-data")),
      meta_key_(subkey(id_key, "coffre-id-meta")),
      cut_key_(subkey(id_key, "coffre-id-cut")) {}

ChunkId ChunkNamer::name(PackKind kind, ByteView plaintext) const {
    return keyed_blake3(kind == PackKind::data ? data_key_ : meta_key_, plaintext);
}

std::uint64_t ChunkNamer::cut_prefix(std::string_view entry_name) const {
    return keyed_blake3(cut_key_, as_bytes(entry_name)).prefix();
}

struct Blake3::State {
    blake3_hasher hasher;
};

Blake3::Blake3() : state_(std::make_unique<State>()) {
    ::blake3_hasher_init(&state_->hasher);
}
Blake3::Blake3(Blake3&&) noexcept = default;
Blake3& Blake3::operator=(Blake3&&) noexcept = default;
Blake3::~Blake3() = default;

void Blake3::update(ByteView bytes) {
    ::blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
}

Digest Blake3::digest() const {
    Digest digest;
    ::blake3_hasher_finalize(&state_->hasher, raw(std::span<std::byte>(digest.bytes)),
                             Digest::size);
    return digest;
}

std::uint64_t xxh3(ByteView bytes) {
    return ::XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t xxh3_keyed(ByteView bytes, std::uint64_t seed) {
    return ::XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

struct FileHasher::State {
    struct Free {
        void operator()(XXH3_state_t* state) const { ::XXH3_freeState(state); }
    };
    std::unique_ptr<XXH3_state_t, Free> xxh{::XXH3_createState()};
};

FileHasher::FileHasher() : state_(std::make_unique<State>()) {
    reset();
}
FileHasher::FileHasher(FileHasher&&) noexcept = default;
FileHasher& FileHasher::operator=(FileHasher&&) noexcept = default;
FileHasher::~FileHasher() = default;

void FileHasher::reset() {
    ::XXH3_128bits_reset(state_->xxh.get());
}

void FileHasher::update(ByteView bytes) {
    ::XXH3_128bits_update(state_->xxh.get(), bytes.data(), bytes.size());
}

FileHash FileHasher::hash() const {
    XXH128_canonical_t canonical;
    ::XXH128_canonicalFromHash(&canonical, ::XXH3_128bits_digest(state_->xxh.get()));
    return FileHash::from(std::as_bytes(std::span(canonical.digest)));
}

bool has_damaged_version(ByteView object) {
    constexpr std::size_t at = object_header_size - 2;
    if (object.size() < object_header_size + 8 ||
        std::to_integer<std::uint8_t>(object[at]) <= format_version) {
        return false;
    }
    Bytes mended(object.begin(), object.end());
    mended[at] = std::byte{format_version};
    Reader checksum(object.last(8), "checksum");
    return checksum.u64() == xxh3(ByteView(mended).first(mended.size() - 8));
}

}  // namespace coffre
