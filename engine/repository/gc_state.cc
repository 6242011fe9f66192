#include "engine/repository/gc_state.h"

#include "engine/repository/names.h"
#include "format/limits.h"

namespace coffre {

namespace {

void apply(GcState& state, LogRecord const& record) {
    switch (record.kind) {
        case LogKind::condemn:
            state.condemned = {record.packs.begin(), record.packs.end()};
            state.ends_in_condemn = true;
            return;
        case LogKind::sweep:
            // What the sweep does not list is pardoned.
            state.swept.insert(record.packs.begin(), record.packs.end());
            state.condemned.clear();
            state.ends_in_condemn = false;
            return;
        case LogKind::checkpoint:
            state.swept.insert(record.packs.begin(), record.packs.end());
            state.closed.insert(record.slots.begin(), record.slots.end());
            return;
    }
}

}  // namespace

GcState read_gc_log(Backend& store, KeyRing const& keys) {
    GcState state;
    for (auto const& object : store.list("gclog/")) {
        std::string const expected = names::log_record(state.next_record);
        if (object.name != expected) {
            throw RepositoryError(RepositoryFailure::corrupt, expected + ": is missing");
        }
        Bytes const bytes = get_whole(store, object.name, limits::object_size);
        Bytes const content = keys.open_signed_object(ObjectKind::gc_log, object.name, bytes);
        try {
            apply(state, decode_log_record(content));
        } catch (FormatError const& error) {
            throw RepositoryError(RepositoryFailure::corrupt, object.name + ": " + error.what());
        }
        ++state.next_record;
    }
    return state;
}

}  // namespace coffre
