#include "engine/maintain/log_repair.h"

#include "engine/maintain/lost_snapshots.h"
#include "engine/maintain/quarantine.h"
#include "engine/repository/names.h"

namespace coffre {

namespace {

std::vector<std::string> list_names(Backend& store) {
    std::vector<std::string> names;
    for (auto const& object : store.list("gclog/")) names.push_back(object.name);
    return names;
}

class Examination {
public:
    explicit Examination(Repository& repository)
        : repository_(repository),
          seen_(repository.local_state().log_records),
          listed_(list_names(repository.store())) {}

    // Nothing when the log was summed up meanwhile, and what was listed is gone.
    std::optional<LogDamage> run() {
        for (auto const& name : listed_) look_at(name);
        if (has_vanished_ && list_names(repository_.store()) != listed_) return std::nullopt;
        damage_.messages.insert(damage_.messages.end(), missing_.begin(), missing_.end());
        if (damage_.next_record < seen_) note_lost_end();
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
            if (!repository_.store().stat(name)) {
                has_vanished_ = true;
                return;
            }
            note_damaged(name, error.what());
            count_damaged(*number);
        }
    }

    void note_damaged(std::string const& name, std::string const& message) {
        damage_.damaged.push_back(name);
        damage_.messages.push_back(message);
    }

    // Anybody can make one of a high number: only records tell of those before them, and what this
    // machine has seen.
    void count_damaged(std::uint64_t number) {
        bool const is_first = damage_.next_record == 0 && number < seen_;
        if (!is_first && number != damage_.next_record) return;
        note_gap_before(number);
        damage_.next_record = number + 1;
    }

    void note_gap_before(std::uint64_t number) {
        if (number == damage_.next_record) return;
        missing_.push_back(names::log_record(damage_.next_record) + ": is missing, before " +
                           names::log_record(number));
        if (!has_checkpoint_) damage_.rest.packs.clear();
    }

    void note_lost_end() {
        std::string const first = names::log_record(damage_.next_record);
        std::string const last = names::log_record(seen_ - 1);
        damage_.messages.push_back((first == last ? "" : first + " to ") + last +
                                   ": is missing; this machine has seen it" + accept_rollback_hint);
    }

    void add(std::uint64_t number, LogRecord const& record) {
        LogRecord& rest = damage_.rest;
        if (record.kind == LogKind::checkpoint) {  // repeats all that was before it
            has_checkpoint_ = true;
            rest.packs.clear();
            rest.slots = record.slots;
            missing_.clear();
        } else {
            note_gap_before(number);
        }
        // Else it may be void, and have lain before a checkpoint that is lost.
        bool const counts = has_checkpoint_ || missing_.empty();
        if (record.sweeps() && counts)
            rest.packs.insert(rest.packs.end(), record.packs.begin(), record.packs.end());
    }

    Repository& repository_;
    std::uint64_t const seen_;  // records, by this machine
    std::vector<std::string> const listed_;
    LogDamage damage_;
    std::vector<std::string> missing_;  // since the last checkpoint
    bool has_vanished_ = false;
    bool has_checkpoint_ = false;
};

// The names that could be set aside are free.
void set_aside(Backend& store, LogDamage& damage) {
    for (auto const& name : damage.damaged) {
        try {
            quarantine(store, name);
        } catch (RepositoryError const& error) {
            // What cannot be read cannot be moved, and the checkpoint does without it.
            if (error.kind() != RepositoryFailure::corrupt) throw;
            damage.staying.push_back(error.what() + std::string("; it stays where it is"));
        }
    }
}

}  // namespace

GcState LogDamage::state() const {
    GcState state;
    state.add_swept(rest.packs);
    state.closed = {rest.slots.begin(), rest.slots.end()};
    state.next_record = next_record;
    return state;
}

LogDamage look_at_gc_log(Repository& repository) {
    for (;;) {
        if (auto damage = Examination(repository).run()) return std::move(*damage);
    }
}

bool mend_gc_log(Repository& repository, LogDamage& damage) {
    Backend& store = repository.store();
    std::uint64_t const last = damage.next_record;
    auto const append = [&](std::uint64_t number) {
        return append_to_gc_log(store, repository.keys(), number, damage.rest);
    };
    if (!append(last)) return false;
    // Meanwhile the log may have grown, and what is before its checkpoints have gone.
    LogDamage const now = look_at_gc_log(repository);
    if (now.next_record != last + 1) return false;
    damage.damaged = now.damaged;
    set_aside(store, damage);
    for (auto const& name : damage.damaged) {
        auto const number = names::number_of_log_record(name);
        if (number && *number < last) append(*number);  // so that nobody else takes it
    }
    std::uint64_t const seen = repository.local_state().log_records;
    return seen <= last + 1 || append(seen - 1);
}

}  // namespace coffre
