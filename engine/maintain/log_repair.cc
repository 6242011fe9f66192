#include "engine/maintain/log_repair.h"

#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/quarantine.h"
#include "engine/repository/names.h"

namespace coffre {

namespace {

class Examination {
public:
    explicit Examination(Repository& repository) : repository_(repository) {}

    LogDamage run() {
        for (auto const& object : repository_.store().list("gclog/")) look_at(object.name);
        damage_.messages.insert(damage_.messages.end(), missing_.begin(), missing_.end());
        std::uint64_t const seen = repository_.local_state().log_records;
        for (auto number = damage_.next_record; number < seen; ++number) {
            damage_.messages.push_back(names::log_record(number) +
                                       ": is missing; this machine has seen it" +
                                       (number + 1 == seen ? accept_rollback_hint : ""));
        }
        return std::move(damage_);
    }

private:
    void look_at(std::string const& name) {
        auto const number = names::number_of_log_record(name);
        if (!number) return note_damaged(name, name + ": no record has such a name");
        try {
            add(*number, read_log_record(repository_.store(), repository_.keys(), *number));
            damage_.next_record = *number + 1;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            if (!repository_.store().stat(name)) return;  // checkpoints repeat it meanwhile
            note_damaged(name, error.what());
            // Anybody can make one of a high number: only records tell of those before them.
            if (is_first_ || *number == damage_.next_record) damage_.next_record = *number + 1;
        }
        is_first_ = false;
    }

    void note_damaged(std::string const& name, std::string const& message) {
        damage_.damaged.push_back(name);
        damage_.messages.push_back(message);
    }

    void add(std::uint64_t number, LogRecord const& record) {
        LogRecord& rest = damage_.rest;
        if (record.kind == LogKind::checkpoint) {  // repeats all that was before it
            rest.packs.clear();
            rest.slots = record.slots;
            missing_.clear();
        } else if (number != damage_.next_record) {
            missing_.push_back(names::log_record(damage_.next_record) + ": is missing, before " +
                               names::log_record(number));
        }
        if (record.sweeps())
            rest.packs.insert(rest.packs.end(), record.packs.begin(), record.packs.end());
    }

    Repository& repository_;
    LogDamage damage_;
    std::vector<std::string> missing_;  // since the last checkpoint
    bool is_first_ = true;
};

}  // namespace

GcState LogDamage::state() const {
    GcState state;
    state.add_swept(rest.packs);
    state.closed = {rest.slots.begin(), rest.slots.end()};
    state.next_record = next_record;
    return state;
}

LogDamage look_at_gc_log(Repository& repository) {
    return Examination(repository).run();
}

bool mend_gc_log(Repository& repository, LogDamage& damage) {
    Backend& store = repository.store();
    auto const append = [&](std::uint64_t number) {
        return append_to_gc_log(store, repository.keys(), number, damage.rest);
    };
    if (!append(damage.next_record)) return false;
    for (auto const& name : damage.damaged) {
        try {
            quarantine(store, name);
        } catch (RepositoryError const& error) {
            // What cannot be read cannot be moved, and the checkpoint does without it.
            if (error.kind() != RepositoryFailure::corrupt) throw;
            damage.staying.push_back(error.what() + std::string("; it stays where it is"));
        }
    }
    std::uint64_t const seen = repository.local_state().log_records;
    for (auto number = damage.next_record + 1; number < seen; ++number) {
        if (!append(number)) return false;
    }
    return true;
}

}  // namespace coffre
