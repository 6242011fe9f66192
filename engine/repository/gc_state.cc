#include "engine/repository/gc_state.h"

#include "engine/repository/names.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// All but what is swept: that is sorted once for all records.
void apply(GcState& state, LogRecord const& record) {
    switch (record.kind) {
        case LogKind::condemn:
            state.condemned = {record.packs.begin(), record.packs.end()};
            state.ends_in_condemn = true;
            if (!mutant("stale-wait")) state.waits_for.reset();
            return;
        case LogKind::sweep:
            // What the sweep does not list is pardoned.
            state.replaced = {record.bundles.begin(), record.bundles.end()};
            state.condemned.clear();
            state.ends_in_condemn = false;
            return;
        case LogKind::checkpoint:
            state.closed.insert(record.slots.begin(), record.slots.end());
            state.condemned.clear();  // by a repair
            state.ends_in_condemn = false;
            return;
        case LogKind::wait:
            state.waits_for = {record.slots.begin(), record.slots.end()};
            return;
    }
}

struct ListedRecords {
    std::uint64_t next = 0;  // after the last one
    bool has_strays = false;
};

ListedRecords list_records(Backend& store) {
    ListedRecords listed;
    for (auto const& object : store.list("gclog/")) {
        auto const number = names::number_of_log_record(object.name);
        if (number) listed.next = std::max(listed.next, *number + 1);
        if (!number) listed.has_strays = true;
    }
    return listed;
}

// Each record by its name: a folder's listing may lack what was put while it was read, and show
// what came later.
GcState read_from_checkpoint(Backend& store, KeyRing const& keys, ListedRecords const& listed) {
    GcState state;
    state.next_record = listed.next;
    state.has_strays = listed.has_strays;
    std::vector<LogRecord> records;  // the last one first
    for (auto number = state.next_record; number > 0; --number) {
        records.push_back(read_log_record(store, keys, number - 1));
        if (records.back().kind == LogKind::checkpoint) break;
        ++state.since_checkpoint;
    }
    std::vector<PackId> swept;
    for (auto it = records.rbegin(); it != records.rend(); ++it) {
        apply(state, *it);
        if (it->sweeps()) swept.insert(swept.end(), it->packs.begin(), it->packs.end());
    }
    state.add_swept(swept);
    return state;
}

}  // namespace

void GcState::add_swept(std::vector<PackId> const& packs) {
    swept.insert(swept.end(), packs.begin(), packs.end());
    std::sort(swept.begin(), swept.end());
    swept.erase(std::unique(swept.begin(), swept.end()), swept.end());
}

LogRecord read_log_record(Backend& store, KeyRing const& keys, std::uint64_t number) {
    std::string const name = names::log_record(number);
    Bytes const bytes = get_whole(store, name, limits::object_size);
    Bytes const content = keys.open_signed_object(ObjectKind::gc_log, name, bytes);
    return naming(name, [&] { return decode_log_record(content); });
}

GcState read_gc_log(Backend& store, KeyRing const& keys) {
    for (;;) {
        auto const listed = list_records(store);
        // Else what was read may have been removed meanwhile, and its number taken by a void
        // record.
        auto const is_current = [&] { return list_records(store).next == listed.next; };
        try {
            auto state = read_from_checkpoint(store, keys, listed);
            if (is_current()) return state;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt || is_current()) throw;
        }
    }
}

bool has_log_grown(Backend& store, GcState const& state) {
    return list_records(store).next != state.next_record;
}

bool append_to_gc_log(Backend& store, KeyRing const& keys, std::uint64_t number,
                      LogRecord const& record) {
    std::string const name = names::log_record(number);
    Bytes const object =
        keys.seal_signed_object(ObjectKind::gc_log, name, encode_log_record(record));
    if (object.size() > limits::object_size) {
        throw RepositoryError(RepositoryFailure::failed,
                              name + ": would be larger than any reader accepts");
    }
    // What the record speaks of, and the records before it, may be another process's.
    store.barrier();
    if (store.put(name, object) != PutResult::stored) return false;
    store.barrier();
    return true;
}

}  // namespace coffre
