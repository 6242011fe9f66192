#include "format/snapshot.h"

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint8_t killed_mark = 0;
constexpr std::uint8_t snapshot_mark = 1;

constexpr std::uint64_t Statistics::*statistics_fields[] = {
    &Statistics::files,        &Statistics::directories,   &Statistics::others,
    &Statistics::files_new,    &Statistics::files_changed, &Statistics::files_unmodified,
    &Statistics::bytes,        &Statistics::bytes_read,    &Statistics::bytes_added,
    &Statistics::bytes_stored, &Statistics::chunks_new,    &Statistics::chunks_reused,
};

void write_optional(Writer& out, std::optional<SessionId> const& id) {
    out.u8(id ? 1 : 0);
    if (id) out.id(*id);
}

bool read_flag(Reader& in, std::string_view name) {
    return in.bounded(1, name) == 1;
}

std::optional<SessionId> read_optional(Reader& in) {
    if (!read_flag(in, "presence")) return std::nullopt;
    return in.id<SessionId>();
}

void write_statistics(Writer& out, Statistics const& statistics) {
    for (auto const field : statistics_fields) out.varint(statistics.*field);
}

Statistics read_statistics(Reader& in) {
    Statistics statistics;
    for (auto const field : statistics_fields) statistics.*field = in.varint();
    return statistics;
}

void write_failures(Writer& out, Snapshot const& snapshot) {
    out.varint(snapshot.failure_count);
    out.varint(snapshot.failures.size());
    for (auto const& failure : snapshot.failures) {
        out.text(failure.path);
        out.text(failure.message);
    }
}

void read_failures(Reader& in, Snapshot& snapshot) {
    snapshot.failure_count = in.varint();
    auto n = in.count(listed_failures, "number of failures");
    if (n > snapshot.failure_count) in.fail("more failures than were counted");
    for (; n > 0; --n) {
        SourceFailure failure;
        failure.path = in.text(limits::text_size, "path");
        failure.message = in.text(limits::text_size, "message");
        snapshot.failures.push_back(std::move(failure));
    }
}

void write_point(Writer& out, PointSection const& point) {
    out.varint(point.size());
    for (auto const& [key, value] : point) {
        out.text(key);
        out.text(value);
    }
}

PointSection read_point(Reader& in) {
    PointSection point;
    for (auto n = in.count(limits::texts_per_list, "number of point values"); n > 0; --n) {
        auto key = in.text(limits::text_size, "point key");
        if (!point.empty() && point.rbegin()->first >= key) in.fail("point keys out of order");
        point.emplace(std::move(key), in.text(limits::mib, "point value"));
    }
    return point;
}

void write_snapshot(Writer& out, Snapshot const& snapshot) {
    write_node(out, snapshot.root);
    write_texts(out, snapshot.paths);
    write_texts(out, snapshot.streams);
    write_texts(out, snapshot.tags);
    out.text(snapshot.host);
    out.text(snapshot.user);
    out.text(snapshot.program);
    out.signed_varint(snapshot.time_ns);
    out.signed_varint(snapshot.started_ns);
    out.signed_varint(snapshot.finished_ns);
    out.id(snapshot.writer);
    out.varint(snapshot.sequence);
    out.id(snapshot.previous);
    write_optional(out, snapshot.parent);
    write_optional(out, snapshot.was);
    out.u8(snapshot.pinned ? 1 : 0);
    write_statistics(out, snapshot.statistics);
    write_failures(out, snapshot);
    write_point(out, snapshot.point);
}

Snapshot read_snapshot(Reader& in) {
    Snapshot snapshot;
    snapshot.root = read_node(in);
    if (!snapshot.root.is_directory()) in.fail("the root is not a directory");
    if (snapshot.root.name != "root") in.fail("the root has another name");
    snapshot.paths = read_texts(in, "paths");
    snapshot.streams = read_texts(in, "streams");
    snapshot.tags = read_texts(in, "tags");
    snapshot.host = in.text(limits::text_size, "host");
    snapshot.user = in.text(limits::text_size, "user");
    snapshot.program = in.text(limits::text_size, "program");
    snapshot.time_ns = in.signed_varint();
    snapshot.started_ns = in.signed_varint();
    snapshot.finished_ns = in.signed_varint();
    snapshot.writer = in.id<WriterId>();
    snapshot.sequence = in.varint();
    snapshot.previous = in.id<SessionId>();
    snapshot.parent = read_optional(in);
    snapshot.was = read_optional(in);
    snapshot.pinned = read_flag(in, "pin");
    snapshot.statistics = read_statistics(in);
    read_failures(in, snapshot);
    snapshot.point = read_point(in);
    return snapshot;
}

}  // namespace

Bytes encode_slot(SlotContent const& slot) {
    Writer out;
    out.u8(slot.killed() ? killed_mark : snapshot_mark);
    if (slot.snapshot) write_snapshot(out, *slot.snapshot);
    return out.take();
}

SlotContent decode_slot(ByteView bytes) {
    Reader in(bytes, "snapshot");
    SlotContent slot;
    auto const mark = in.u8();
    if (mark > snapshot_mark) in.fail("unknown content " + std::to_string(mark));
    if (mark == snapshot_mark) slot.snapshot = read_snapshot(in);
    in.expect_end();
    return slot;
}

}  // namespace coffre
