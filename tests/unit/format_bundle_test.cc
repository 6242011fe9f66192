#include "format/bundle.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

TEST(Bundle, RoundTrips) {
    EXPECT_EQ(decode_bundle(encode_bundle(samples::bundle())), samples::bundle());
    EXPECT_EQ(decode_bundle(encode_bundle({})), Bundle{});
}

TEST(Bundle, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_bundle(samples::bundle()), decode_bundle, encode_bundle);
}

TEST(Bundle, RefusesPacksAboveTheLimit) {
    Bundle bundle = samples::bundle();
    bundle[1].pack_size = limits::pack_size;
    EXPECT_NO_THROW(decode_bundle(encode_bundle(bundle)));
    bundle[1].pack_size = limits::pack_size + 1;
    EXPECT_THROW(decode_bundle(encode_bundle(bundle)), FormatError);
}

TEST(Bundle, RefusesMorePacksThanTheLimit) {
    Bundle const bundle(limits::packs_per_bundle + 1);
    EXPECT_THROW(decode_bundle(encode_bundle(bundle)), FormatError);
    EXPECT_EQ(decode_bundle(encode_bundle(Bundle(limits::packs_per_bundle))).size(),
              limits::packs_per_bundle);
}

TEST(Bundle, KeepsEachField) {
    expect_keeps_each(
        samples::bundle(),
        {[](Bundle& b) { b[0].pack = samples::id<PackId>(9); },
         [](Bundle& b) { b[0].session = samples::id<SessionId>(9); },
         [](Bundle& b) { b[0].pack_size = 1; }, [](Bundle& b) { b[0].directory.pop_back(); }},
        decode_bundle, encode_bundle);
}

TEST(Bundle, RefusesDirectoriesAboveTheLimit) {
    Bytes bytes = encode_bundle({{samples::id<PackId>(1), samples::id<SessionId>(2), 300, {}}});
    bytes.pop_back();
    Writer size;
    size.varint(limits::pack_size + 1);
    append(bytes, size.view());
    EXPECT_EQ(format_error([&] { decode_bundle(bytes); }),
              "bundle: directory is 134217729, above the limit of 134217728");
}

}  // namespace
}  // namespace coffre
