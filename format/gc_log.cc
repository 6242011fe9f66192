#include "format/gc_log.h"

#include "format/limits.h"

namespace coffre {

namespace {

template <class IdType>
void write_ids(Writer& out, std::vector<IdType> const& ids) {
    out.varint(ids.size());
    for (auto const& id : ids) out.id(id);
}

template <class IdType>
std::vector<IdType> read_ids(Reader& in, std::string_view name) {
    std::vector<IdType> ids;
    for (auto n = in.count(limits::log_entries, name); n > 0; --n) ids.push_back(in.id<IdType>());
    return ids;
}

}  // namespace

Bytes encode_log_record(LogRecord const& record) {
    Writer out;
    out.u8(static_cast<std::uint8_t>(record.kind));
    write_ids(out, record.packs);
    write_ids(out, record.bundles);
    write_ids(out, record.slots);
    return out.take();
}

LogRecord decode_log_record(ByteView bytes) {
    Reader in(bytes, "gc log record");
    LogRecord record;
    auto const kind = in.u8();
    if (kind < 1 || kind > 4) in.fail("unknown kind " + std::to_string(kind));
    record.kind = static_cast<LogKind>(kind);
    record.packs = read_ids<PackId>(in, "number of packs");
    record.bundles = read_ids<BundleId>(in, "number of bundles");
    record.slots = read_ids<SessionId>(in, "number of slots");
    in.expect_end();
    bool const has_slots = record.kind == LogKind::checkpoint || record.kind == LogKind::wait;
    if (!has_slots && !record.slots.empty()) in.fail("slots in a record of another kind");
    if (record.kind == LogKind::wait && !record.packs.empty())
        in.fail("packs in a record of a wait");
    return record;
}

Bytes encode_forget(ForgetRecord const& record) {
    Writer out;
    out.signed_varint(record.time_ns);
    out.text(record.reason);
    return out.take();
}

ForgetRecord decode_forget(ByteView bytes) {
    Reader in(bytes, "forget");
    ForgetRecord record;
    record.time_ns = in.signed_varint();
    record.reason = in.text(limits::text_size, "reason");
    in.expect_end();
    return record;
}

}  // namespace coffre
