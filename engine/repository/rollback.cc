#include "engine/repository/rollback.h"

#include <algorithm>

#include "engine/repository/forgets.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// Those that were listed to open the repository. False when that fails.
bool sync_listed_slots(Repository& repository) {
    try {
        if (!mutant("remember-unsynced-key")) repository.store().barrier();
        return true;
    } catch (RepositoryError const&) {
        return false;  // what was asked for works all the same
    }
}

// A master secret counts as seen when its slot is durable: a power cut may take back what a rekey
// has not synced yet, and that is no rollback. The slot of the first one is older than the config.
void remember_keys(Repository& repository, bool encrypted) {
    LocalState const& state = repository.local_state();
    std::uint32_t const epoch = repository.keys().newest_epoch();
    bool const is_durable = epoch <= 1 || epoch == state.epochs || sync_listed_slots(repository);
    if (encrypted == state.encrypted && (epoch == state.epochs || !is_durable)) return;
    repository.keep_local_state(nullptr, [&](LocalState& kept) {
        kept.encrypted = kept.encrypted || encrypted;
        if (is_durable && kept.epochs < epoch) note_newest(repository.keys(), kept);
    });
}

// What is gone is not looked for again. Who has lost the newest of his own begins a new chain.
void accept_loss(Repository& repository, std::map<WriterId, SessionId> const& lost,
                 std::uint64_t log_records) {
    WriterId const next = random_id<WriterId>();
    repository.update_local_state([&](LocalState& state) {
        for (auto const& [writer, head] : lost) {
            auto const kept = state.heads.find(writer);
            if (kept != state.heads.end() && kept->second == head) state.heads.erase(kept);
        }
        state.log_records = std::min(state.log_records, log_records);
        if (!lost.contains(state.writer)) return;
        state.writer = next;
        state.sequence = 0;
    });
}

// The newest snapshots that this machine has seen, and the log's length.
void require_nothing_lost(Repository& repository, OpenOptions const& options) {
    LocalState const& state = repository.local_state();
    std::map<WriterId, SessionId> lost = state.heads;
    std::erase_if(lost, [&](auto const& seen) {
        return repository.store().stat(names::snapshot(seen.second)) ||
               has_forget(repository, seen.second);
    });
    // After that: what closed a slot is written before the slot is removed.
    GcState log;
    try {
        log = read_gc_log(repository.store(), repository.keys());
    } catch (RepositoryError const& error) {
        // To restore takes no log. But one that would tell what is missing might hide a rollback.
        bool const may_go_on = lost.empty() || options.accept_rollback;
        if (error.kind() != RepositoryFailure::corrupt || !may_go_on) throw;
        return;
    }
    std::erase_if(lost, [&](auto const& seen) { return log.closed.contains(seen.second); });
    std::string missing;
    if (log.next_record < state.log_records) missing = names::log_record(state.log_records - 1);
    if (!lost.empty()) missing = names::snapshot(lost.begin()->second);
    if (missing.empty() || mutant("accept-rollback")) return;
    if (options.accept_rollback) return accept_loss(repository, lost, log.next_record);
    throw RepositoryError(RepositoryFailure::rolled_back,
                          "the repository went back in time: " + missing +
                              " was there and is gone. If it was restored from a copy on purpose, "
                              "or to restore what is there, add --accept-rollback");
}

// What is sealed under secrets that are lost is stored again.
void note_unreadable(Repository& repository) {
    repository.refresh_index();
    Index::View const view = repository.index_view();
    view.each_pack([&](PackNumber number, IndexedPack const& pack) {
        if (!repository.can_read(view, number)) repository.note_damaged(pack.id);
    });
}

// "it had 3 master secrets, and this key opens 2"; or as many, but others.
std::string describe_loss(KeyRing const& keys, LocalState const& seen) {
    if (keys.newest_epoch() < seen.epochs) {
        return "it had " + std::to_string(seen.epochs) + " master secrets, and this key opens " +
               std::to_string(keys.newest_epoch());
    }
    return "its master secret " + std::to_string(seen.epochs) + " was another one";
}

// The newest master secret that this machine has seen is gone.
void require_wanted_rollback(Repository& repository, OpenOptions const& options) {
    if (options.report_rollback) return;
    if (!options.accept_rollback) {
        throw RepositoryError(
            RepositoryFailure::rolled_back,
            "the repository went back in time: " +
                describe_loss(repository.keys(), repository.local_state()) +
                ". If it was restored from a copy on purpose, add --accept-rollback: keys that "
                "were replaced open it again, and what was stored under the new secret cannot be "
                "read");
    }
    with_index([&] { note_unreadable(repository); });
    repository.update_local_state(
        [&](LocalState& state) { note_newest(repository.keys(), state); });
}

}  // namespace

void require_no_rollback(Repository& repository, OpenOptions const& options) {
    LocalState const& state = repository.local_state();
    bool const encrypted = repository.keys().mode() == Mode::encrypted;
    if (state.encrypted && !encrypted) {
        throw RepositoryError(RepositoryFailure::unusable,
                              "the repository was encrypted when this machine last saw it");
    }
    if (has_newest_seen(repository.keys(), state)) {
        remember_keys(repository, encrypted);
    } else {
        require_wanted_rollback(repository, options);
    }
    if (!options.report_rollback && !state.heads.empty()) require_nothing_lost(repository, options);
}

}  // namespace coffre
