#include "format/snapshot.h"

#include <functional>

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

std::string refusal(std::function<void(Snapshot&)> const& change) {
    Snapshot snapshot = samples::snapshot();
    change(snapshot);
    return format_error([&] { decode_slot(encode_slot({snapshot})); });
}

Bytes encode_snapshot(Snapshot const& snapshot) {
    return encode_slot({snapshot});
}

Snapshot decode_snapshot(ByteView bytes) {
    return decode_slot(bytes).snapshot.value();
}

TEST(SnapshotSlot, RoundTrips) {
    SlotContent const slot{samples::snapshot()};
    EXPECT_EQ(decode_slot(encode_slot(slot)), slot);
    EXPECT_FALSE(slot.killed());
}

TEST(SnapshotSlot, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode_slot({samples::snapshot()}), decode_slot, encode_slot);
}

TEST(SnapshotSlot, OfAKilledSessionIsOneZeroByte) {
    EXPECT_EQ(to_hex(encode_slot({})), "00");
    EXPECT_TRUE(decode_slot(encode_slot({})).killed());
    expect_canonical(encode_slot({}), decode_slot, encode_slot);
}

TEST(SnapshotSlot, RefusesUnknownContent) {
    Bytes bytes = encode_slot({samples::snapshot()});
    bytes[0] = std::byte{2};
    EXPECT_THROW(decode_slot(bytes), FormatError);
}

TEST(SnapshotSlot, KeepsOptionalIdsApart) {
    Snapshot snapshot = samples::snapshot();
    snapshot.was = std::exchange(snapshot.parent, std::nullopt);
    EXPECT_EQ(decode_slot(encode_slot({snapshot})).snapshot, snapshot);
}

TEST(SnapshotSlot, TheRootMustBeADirectory) {
    EXPECT_EQ(refusal([](Snapshot& s) { s.root = samples::sparse_file(); }),
              "snapshot: the root is not a directory");
    EXPECT_EQ(refusal([](Snapshot& s) { s.root.name = "other"; }),
              "snapshot: the root has another name");
}

TEST(SnapshotSlot, ListsNoMoreFailuresThanItCounts) {
    EXPECT_EQ(refusal([](Snapshot& s) { s.failure_count = s.failures.size() - 1; }),
              "snapshot: more failures than were counted");
}

TEST(SnapshotSlot, RefusesTextsAboveTheLimit) {
    std::string const text(limits::text_size + 1, 'x');
    EXPECT_NE(refusal([&](Snapshot& s) { s.paths[0] = text; }), "");
    EXPECT_NE(refusal([&](Snapshot& s) { s.tags[0] = text; }), "");
    EXPECT_NE(refusal([&](Snapshot& s) { s.host = text; }), "");
    EXPECT_NE(refusal([&](Snapshot& s) { s.failures[0].message = text; }), "");
    EXPECT_NE(refusal([&](Snapshot& s) { s.point[text] = ""; }), "");
}

TEST(SnapshotSlot, PointValuesMayBeLonger) {
    std::string const value(limits::mib, 'x');
    EXPECT_EQ(refusal([&](Snapshot& s) { s.point["rows"] = value; }), "");
    EXPECT_NE(refusal([&](Snapshot& s) { s.point["rows"] = value + "x"; }), "");
}

TEST(SnapshotSlot, ListsAThousandFailures) {
    EXPECT_EQ(refusal([](Snapshot& s) {
                  s.failures.resize(listed_failures);
                  s.failure_count = listed_failures;
              }),
              "");
    EXPECT_NE(refusal([](Snapshot& s) {
                  s.failures.resize(listed_failures + 1);
                  s.failure_count = listed_failures + 1;
              }),
              "");
}

TEST(SnapshotSlot, PointKeysAscendWithoutRepeats) {
    Bytes bytes = encode_slot({samples::snapshot()});
    std::string text = to_text(bytes);
    std::size_t const key = text.find("rows");
    ASSERT_NE(key, std::string::npos);
    text.replace(key, 4, "aaaa");
    EXPECT_EQ(format_error([&] { decode_slot(as_bytes(text)); }),
              "snapshot: point keys out of order");
}

TEST(SnapshotSlot, KeepsWhatWasSaved) {
    expect_keeps_each(
        samples::snapshot(),
        {[](Snapshot& s) { s.root.mode = 0; }, [](Snapshot& s) { s.paths.clear(); },
         [](Snapshot& s) { s.streams.clear(); }, [](Snapshot& s) { s.tags.pop_back(); },
         [](Snapshot& s) { s.host = "x"; }, [](Snapshot& s) { s.user = "x"; },
         [](Snapshot& s) { s.program = "x"; }, [](Snapshot& s) { s.failure_count = 4; },
         [](Snapshot& s) { s.failures[0].path = "x"; },
         [](Snapshot& s) { s.failures[0].message = "x"; },
         [](Snapshot& s) { s.point.erase("rows"); }},
        decode_snapshot, encode_snapshot);
}

TEST(SnapshotSlot, KeepsWhenAndAfterWhatItWasSaved) {
    expect_keeps_each(
        samples::snapshot(),
        {[](Snapshot& s) { s.time_ns = -1; }, [](Snapshot& s) { s.started_ns = 7; },
         [](Snapshot& s) { s.finished_ns = 7; }, [](Snapshot& s) { s.writer = {}; },
         [](Snapshot& s) { s.sequence = 43; }, [](Snapshot& s) { s.previous = {}; },
         [](Snapshot& s) { s.parent = std::nullopt; }, [](Snapshot& s) { s.was = SessionId{}; },
         [](Snapshot& s) { s.pinned = false; }},
        decode_snapshot, encode_snapshot);
}

TEST(SnapshotSlot, KeepsEachNumberOfItsStatistics) {
    expect_keeps_each(samples::snapshot(),
                      {[](Snapshot& s) { s.statistics.files = 0; },
                       [](Snapshot& s) { s.statistics.directories = 0; },
                       [](Snapshot& s) { s.statistics.others = 0; },
                       [](Snapshot& s) { s.statistics.files_new = 0; },
                       [](Snapshot& s) { s.statistics.files_changed = 0; },
                       [](Snapshot& s) { s.statistics.files_unmodified = 0; },
                       [](Snapshot& s) { s.statistics.bytes = 0; },
                       [](Snapshot& s) { s.statistics.bytes_read = 0; },
                       [](Snapshot& s) { s.statistics.bytes_added = 0; },
                       [](Snapshot& s) { s.statistics.bytes_stored = 0; },
                       [](Snapshot& s) { s.statistics.chunks_new = 0; },
                       [](Snapshot& s) { s.statistics.chunks_reused = 0; }},
                      decode_snapshot, encode_snapshot);
}

TEST(SnapshotSlot, OfAKilledSessionIsNoSnapshot) {
    EXPECT_FALSE(SlotContent{} == SlotContent{samples::snapshot()});
}

TEST(SnapshotSlot, RefusalsNameWhatWasFound) {
    Bytes bytes = encode_slot({});
    bytes[0] = std::byte{2};
    EXPECT_EQ(format_error([&] { decode_slot(bytes); }), "snapshot: unknown content 2");
    EXPECT_EQ(refusal([](Snapshot& s) { s.failures.resize(1001); }),
              "snapshot: number of failures is 1001, above the limit of 1000");
}

}  // namespace
}  // namespace coffre
