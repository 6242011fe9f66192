#include "format/config.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

ConfigPrefix decode_config(ByteView bytes) {
    Reader in(bytes, "config");
    ConfigPrefix prefix = decode_config_prefix(in);
    in.expect_end();
    return prefix;
}

ConfigSecrets with_sizes(std::uint32_t min, std::uint32_t average, std::uint32_t max) {
    ConfigSecrets secrets = samples::config_secrets();
    secrets.chunker = {min, average, max};
    return secrets;
}

bool accepts_sizes(std::uint32_t min, std::uint32_t average, std::uint32_t max) {
    try {
        decode_config_secrets(encode_config_secrets(with_sizes(min, average, max)));
        return true;
    } catch (FormatError const&) {
        return false;
    }
}

TEST(ConfigPrefix, RoundTripsInBothModes) {
    for (auto const& prefix : {samples::encrypted_prefix(), samples::public_prefix()}) {
        EXPECT_EQ(decode_config(encode_config_prefix(prefix)), prefix);
    }
}

TEST(ConfigPrefix, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_config_prefix(samples::encrypted_prefix()), decode_config,
                     encode_config_prefix);
    expect_canonical(encode_config_prefix(samples::public_prefix()), decode_config,
                     encode_config_prefix);
}

TEST(ConfigPrefix, BytesStayWhatTheyAre) {
    EXPECT_EQ(
        to_hex(encode_config_prefix(samples::public_prefix())),
        "636f666672650101101112131415161718191a1b1c1d1e1f000000000000000000404142434445464748494a"
        "4b4c4d4e4f505152535455565758595a5b5c5d5e5f");
}

TEST(ConfigPrefix, LeavesTheReaderAtTheSealedRest) {
    Bytes bytes = encode_config_prefix(samples::encrypted_prefix());
    append(bytes, as_bytes("rest"));
    Reader in(bytes, "config");
    decode_config_prefix(in);
    EXPECT_EQ(to_text(in.raw(in.remaining())), "rest");
}

TEST(ConfigPrefix, AnyRequiredFeatureIsUnsupported) {
    for (unsigned bit = 0; bit < 64; ++bit) {
        ConfigPrefix prefix = samples::encrypted_prefix();
        prefix.required_features = std::uint64_t{1} << bit;
        EXPECT_THROW(decode_config(encode_config_prefix(prefix)), UnsupportedFormat);
    }
}

TEST(ConfigPrefix, ThePublicMasterBelongsToModeNoneAlone) {
    ConfigPrefix prefix = samples::encrypted_prefix();
    prefix.public_master = samples::key(1);
    EXPECT_THROW(decode_config(encode_config_prefix(prefix)), FormatError);
    prefix = samples::public_prefix();
    prefix.public_master = Key{};
    EXPECT_THROW(decode_config(encode_config_prefix(prefix)), FormatError);
}

TEST(ConfigSecrets, RoundTrip) {
    ConfigSecrets const secrets = samples::config_secrets();
    EXPECT_EQ(decode_config_secrets(encode_config_secrets(secrets)), secrets);
}

TEST(ConfigSecrets, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_config_secrets(samples::config_secrets()), decode_config_secrets,
                     encode_config_secrets);
}

TEST(ConfigSecrets, TakesEveryAllowedTripleOfChunkSizes) {
    EXPECT_TRUE(accepts_sizes(64, 256, 2048));
    EXPECT_TRUE(accepts_sizes(255, 256, 257));
    EXPECT_TRUE(accepts_sizes(16 * 1024, 64 * 1024, 512 * 1024));
    EXPECT_TRUE(accepts_sizes(64, 4 * limits::mib, limits::chunk_size));
}

TEST(ConfigSecrets, RefusesImpossibleChunkSizes) {
    EXPECT_FALSE(accepts_sizes(63, 256, 2048)) << "shorter than the window";
    EXPECT_FALSE(accepts_sizes(64, 128, 2048)) << "average too small";
    EXPECT_FALSE(accepts_sizes(64, 300, 2048)) << "average no power of two";
    EXPECT_FALSE(accepts_sizes(256, 256, 2048)) << "min is the average";
    EXPECT_FALSE(accepts_sizes(64, 256, 256)) << "max is the average";
    EXPECT_FALSE(accepts_sizes(64, 256, limits::chunk_size + 1)) << "above the limit";
    EXPECT_FALSE(accepts_sizes(0, 0, 0));
}

TEST(ConfigPrefix, KeepsEachField) {
    expect_keeps_each(samples::public_prefix(),
                      {[](ConfigPrefix& p) { p.repository = samples::id<RepositoryId>(1); },
                       [](ConfigPrefix& p) { p.public_master[31] = std::byte{0}; },
                       [](ConfigPrefix& p) {
                           p = {p.repository, Mode::encrypted, 0, Key{}};
                       }},
                      decode_config, encode_config_prefix);
}

TEST(ConfigPrefix, RefusesUnknownModes) {
    ConfigPrefix prefix = samples::public_prefix();
    prefix.mode = Mode{2};
    EXPECT_EQ(format_error([&] { decode_config(encode_config_prefix(prefix)); }),
              "config: unknown mode 2");
}

TEST(ConfigSecrets, KeepEachField) {
    expect_keeps_each(samples::config_secrets(),
                      {[](ConfigSecrets& s) { s.chunker_key = samples::key(9); },
                       [](ConfigSecrets& s) { s.id_key = samples::key(9); },
                       [](ConfigSecrets& s) { s.chunker.min = 64; },
                       [](ConfigSecrets& s) { s.chunker.average = 128 * 1024; },
                       [](ConfigSecrets& s) { s.chunker.max = 8 * 1024 * 1024; },
                       [](ConfigSecrets& s) { s.box_public_key = samples::key(9); },
                       [](ConfigSecrets& s) { s.sign_public_key = samples::key(9); },
                       [](ConfigSecrets& s) { s.created_ns = -1; }},
                      decode_config_secrets, encode_config_secrets);
}

TEST(ConfigSecrets, ARefusalNamesTheThreeSizes) {
    EXPECT_EQ(format_error([] {
                  check_chunker_sizes({64, 300, 2048});
              }),
              "config: chunk sizes 64/300/2048 are not possible");
}

}  // namespace
}  // namespace coffre
