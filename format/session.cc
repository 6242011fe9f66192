#include "format/session.h"

#include "format/limits.h"

namespace coffre {

Bytes encode_session(SessionRecord const& record) {
    Writer out;
    out.text(record.host);
    out.text(record.boot_id);
    out.varint(record.pid_namespace);
    out.varint(record.pid);
    out.varint(record.process_start);
    out.signed_varint(record.created_ns);
    out.varint(record.beat);
    return out.take();
}

SessionRecord decode_session(ByteView bytes) {
    Reader in(bytes, "session");
    SessionRecord record;
    record.host = in.text(limits::text_size, "host");
    record.boot_id = in.text(limits::text_size, "boot id");
    record.pid_namespace = in.varint();
    record.pid = in.varint();
    record.process_start = in.varint();
    record.created_ns = in.signed_varint();
    record.beat = in.varint();
    in.expect_end();
    return record;
}

}  // namespace coffre
