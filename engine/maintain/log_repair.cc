#include "engine/maintain/log_repair.h"

#include "engine/maintain/quarantine.h"
#include "engine/repository/names.h"

namespace coffre {

namespace {

// Nothing when it is not that of a record.
std::optional<std::uint64_t> number_of(std::string const& name) {
    std::string const digits = last_component(name);
    if (digits.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
    if (digits.size() != 16) return std::nullopt;
    return std::stoull(digits);
}

class Examination {
public:
    Examination(Backend& store, KeyRing const& keys) : store_(store), keys_(keys) {}

    LogDamage run(std::uint64_t length_seen) {
        for (auto const& object : store_.list("gclog/")) look_at(object.name);
        damage_.length_seen = length_seen;
        for (auto number = damage_.next_record; number < length_seen; ++number) {
            damage_.messages.push_back(names::log_record(number) +
                                       ": is missing; this machine has seen it");
        }
        return std::move(damage_);
    }

private:
    void look_at(std::string const& name) {
        auto const number = number_of(name);
        if (!number) return note_damaged(name, name + ": no record has such a name");
        try {
            LogRecord const record = read_log_record(store_, keys_, *number);
            while (damage_.next_record < *number) note_missing();
            ++damage_.next_record;
            add(record);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            note_damaged(name, error.what());
            // Anybody can make one of a high number: only records tell of those before them.
            if (*number == damage_.next_record) damage_.numbers.push_back(damage_.next_record++);
        }
    }

    void note_damaged(std::string const& name, std::string const& message) {
        damage_.damaged.push_back(name);
        damage_.messages.push_back(message);
    }

    void note_missing() {
        damage_.messages.push_back(names::log_record(damage_.next_record) + ": is missing");
        damage_.numbers.push_back(damage_.next_record++);
    }

    void add(LogRecord const& record) {
        LogRecord& rest = damage_.rest;
        if (record.kind == LogKind::checkpoint) {  // repeats all that was before it
            rest.packs.clear();
            rest.slots = record.slots;
        }
        if (record.sweeps())
            rest.packs.insert(rest.packs.end(), record.packs.begin(), record.packs.end());
    }

    Backend& store_;
    KeyRing const& keys_;
    LogDamage damage_;
};

}  // namespace

GcState LogDamage::state() const {
    GcState state;
    state.add_swept(rest.packs);
    state.closed = {rest.slots.begin(), rest.slots.end()};
    state.next_record = next_record;
    return state;
}

LogDamage look_at_gc_log(Backend& store, KeyRing const& keys, std::uint64_t length_seen) {
    return Examination(store, keys).run(length_seen);
}

bool mend_gc_log(Backend& store, KeyRing const& keys, LogDamage const& damage) {
    if (!append_to_gc_log(store, keys, damage.next_record, damage.rest)) return false;
    for (auto const& name : damage.damaged) quarantine(store, name);
    for (auto const number : damage.numbers) append_to_gc_log(store, keys, number, damage.rest);
    for (auto number = damage.next_record + 1; number < damage.length_seen; ++number) {
        if (!append_to_gc_log(store, keys, number, damage.rest)) return false;
    }
    return true;
}

}  // namespace coffre
