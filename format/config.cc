#include "format/config.h"

#include <bit>

#include "format/limits.h"

namespace coffre {

namespace {

Key read_key(Reader& in) {
    Key key;
    ByteView const raw = in.raw(key.size());
    std::copy(raw.begin(), raw.end(), key.begin());
    return key;
}

}  // namespace

Bytes encode_config_prefix(ConfigPrefix const& prefix) {
    Writer out;
    write_object_header(out, ObjectKind::config);
    out.id(prefix.repository);
    out.u8(static_cast<std::uint8_t>(prefix.mode));
    out.u64(prefix.required_features);
    out.raw(prefix.public_master);
    return out.take();
}

ConfigPrefix decode_config_prefix(Reader& in) {
    read_object_header(in, ObjectKind::config);
    ConfigPrefix prefix;
    prefix.repository = in.id<RepositoryId>();
    auto const mode = in.u8();
    prefix.required_features = in.u64();
    if (prefix.required_features != 0) {
        throw UnsupportedFormat("the repository needs features that this program does not have (" +
                                std::to_string(prefix.required_features) + ")");
    }
    if (mode > static_cast<std::uint8_t>(Mode::encrypted)) {
        in.fail("unknown mode " + std::to_string(mode));
    }
    prefix.mode = static_cast<Mode>(mode);
    prefix.public_master = read_key(in);
    if ((prefix.mode == Mode::encrypted) != (prefix.public_master == Key{})) {
        in.fail("public master key does not fit the mode");
    }
    return prefix;
}

Bytes encode_config_secrets(ConfigSecrets const& secrets) {
    Writer out;
    out.raw(secrets.chunker_key);
    out.raw(secrets.id_key);
    out.u32(secrets.chunker.min);
    out.u32(secrets.chunker.average);
    out.u32(secrets.chunker.max);
    out.raw(secrets.box_public_key);
    out.raw(secrets.sign_public_key);
    out.signed_varint(secrets.created_ns);
    return out.take();
}

ConfigSecrets decode_config_secrets(ByteView bytes) {
    Reader in(bytes, "config");
    ConfigSecrets secrets;
    secrets.chunker_key = read_key(in);
    secrets.id_key = read_key(in);
    secrets.chunker.min = in.u32();
    secrets.chunker.average = in.u32();
    secrets.chunker.max = in.u32();
    check_chunker_sizes(secrets.chunker);
    secrets.box_public_key = read_key(in);
    secrets.sign_public_key = read_key(in);
    secrets.created_ns = in.signed_varint();
    in.expect_end();
    return secrets;
}

void check_chunker_sizes(ChunkerSizes const& sizes) {
    bool const ordered = sizes.min >= 64 && sizes.min < sizes.average && sizes.average < sizes.max;
    if (!ordered || !std::has_single_bit(sizes.average) || sizes.average < 256 ||
        sizes.max > limits::chunk_size) {
        throw FormatError("config: chunk sizes " + std::to_string(sizes.min) + "/" +
                          std::to_string(sizes.average) + "/" + std::to_string(sizes.max) +
                          " are not possible");
    }
}

}  // namespace coffre
