#include "format/gc_log.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

TEST(LogRecord, RoundTripsEveryKindWithWhatItMayHold) {
    for (auto const kind : {LogKind::condemn, LogKind::sweep, LogKind::checkpoint, LogKind::wait}) {
        LogRecord record = samples::log_record();
        record.kind = kind;
        bool const has_slots = kind == LogKind::checkpoint || kind == LogKind::wait;
        bool const has_packs = kind != LogKind::wait;
        bool const is_accepted = has_slots && has_packs;
        Bytes const bytes = encode_log_record(record);
        EXPECT_EQ(format_error([&] { decode_log_record(bytes); }).empty(), is_accepted);
        if (!has_slots) record.slots.clear();
        if (!has_packs) record.packs.clear();
        EXPECT_EQ(decode_log_record(encode_log_record(record)), record);
    }
}

TEST(LogRecord, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_log_record(samples::log_record()), decode_log_record,
                     encode_log_record);
    expect_canonical(encode_log_record({}), decode_log_record, encode_log_record);
}

TEST(LogRecord, BytesStayWhatTheyAre) {
    LogRecord const record{LogKind::sweep, {samples::id<PackId>(0)}, {}, {}};
    EXPECT_EQ(to_hex(encode_log_record(record)), "0201000102030405060708090a0b0c0d0e0f0000");
    LogRecord const wait{LogKind::wait, {}, {}, {samples::id<SessionId>(0)}};
    EXPECT_EQ(to_hex(encode_log_record(wait)), "04000001000102030405060708090a0b0c0d0e0f");
}

TEST(LogRecord, RefusesUnknownKinds) {
    EXPECT_THROW(decode_log_record(encode_log_record({LogKind{0}, {}, {}, {}})), FormatError);
    EXPECT_THROW(decode_log_record(encode_log_record({LogKind{5}, {}, {}, {}})), FormatError);
}

TEST(LogRecord, RefusesACountAboveTheLimit) {
    Writer out;
    out.u8(1);
    out.varint(limits::log_entries + 1);
    Bytes bytes = out.take();
    bytes.resize(bytes.size() + limits::log_entries + 1);
    EXPECT_NE(format_error([&] { decode_log_record(bytes); }).find("above the limit"),
              std::string::npos);
}

TEST(ForgetRecord, RoundTripsAndRefusesEveryOtherSpelling) {
    EXPECT_EQ(decode_forget(encode_forget(samples::forget())), samples::forget());
    expect_canonical(encode_forget(samples::forget()), decode_forget, encode_forget);
}

TEST(ForgetRecord, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_forget({-64, "old"})), "7f036f6c64");
}

TEST(ForgetRecord, RefusesReasonsAboveTheLimit) {
    EXPECT_NO_THROW(decode_forget(encode_forget({0, std::string(limits::text_size, 'x')})));
    EXPECT_THROW(decode_forget(encode_forget({0, std::string(limits::text_size + 1, 'x')})),
                 FormatError);
}

TEST(LogRecord, KeepsEachField) {
    expect_keeps_each(
        samples::log_record(),
        {[](LogRecord& r) {
             r.kind = LogKind::condemn;
             r.slots.clear();
         },
         [](LogRecord& r) { std::swap(r.packs[0], r.packs[1]); },
         [](LogRecord& r) { r.bundles[0] = {}; }, [](LogRecord& r) { r.slots.clear(); }},
        decode_log_record, encode_log_record);
}

TEST(ForgetRecord, KeepsEachField) {
    expect_keeps_each(
        samples::forget(),
        {[](ForgetRecord& r) { r.time_ns = INT64_MIN; }, [](ForgetRecord& r) { r.reason.clear(); }},
        decode_forget, encode_forget);
}

}  // namespace
}  // namespace coffre
