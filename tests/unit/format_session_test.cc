#include "format/session.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

TEST(SessionRecord, RoundTrips) {
    EXPECT_EQ(decode_session(encode_session(samples::session())), samples::session());
    EXPECT_EQ(decode_session(encode_session({})), SessionRecord{});
}

TEST(SessionRecord, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_session(samples::session()), decode_session, encode_session);
}

TEST(SessionRecord, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_session({"h", "b", 300, 1, 2, -1, 3})),
              "0168"
              "0162"
              "ac02"
              "01020103");
}

TEST(SessionRecord, RefusesTextsAboveTheLimit) {
    SessionRecord record = samples::session();
    record.boot_id = std::string(limits::text_size, 'x');
    EXPECT_EQ(decode_session(encode_session(record)), record);
    record.boot_id += 'x';
    EXPECT_THROW(decode_session(encode_session(record)), FormatError);
}

}  // namespace
}  // namespace coffre
