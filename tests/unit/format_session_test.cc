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

TEST(SessionRecord, KeepsEachField) {
    expect_keeps_each(
        samples::session(),
        {[](SessionRecord& r) { r.host.clear(); }, [](SessionRecord& r) { r.boot_id.clear(); },
         [](SessionRecord& r) { r.pid_namespace = 0; },
         [](SessionRecord& r) { r.pid = UINT64_MAX; },
         [](SessionRecord& r) { r.process_start = 0; },
         [](SessionRecord& r) { r.created_ns = INT64_MIN; }, [](SessionRecord& r) { r.beat = 4; }},
        decode_session, encode_session);
}

}  // namespace
}  // namespace coffre
