#include "engine/maintain/checkpoint.h"

#include <algorithm>

#include "engine/maintain/mark_needed.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/repository/stored_packs.h"

namespace coffre {

namespace {

constexpr std::uint64_t records_per_checkpoint = 64;
// Slots and forgets that count for nothing any more, and that every listing reads.
constexpr std::uint64_t most_void = 1000;

bool is_killed(Repository& repository, std::string const& slot) {
    return read_slot(repository, slot).killed();
}

bool is_damaged(Repository& repository, std::string const& slot) {
    try {
        read_slot(repository, slot);
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return repository.store().stat(slot).has_value();
    }
    return false;
}

// They stay in the log for ever, since a writer that was halted may tell of one years later. Of
// more than a record can hold only those that the store or a bundle shows.
std::vector<PackId> swept_to_repeat(Repository& repository, GcState const& log,
                                    PruneRequest const& request) {
    std::vector<PackId> packs = log.swept;
    if (packs.size() <= request.packs_per_checkpoint) return packs;
    StoredPacks const stored(repository);
    require_whole_index(repository);
    Index::View const view = repository.index_view();
    std::erase_if(packs,
                  [&](PackId const& pack) { return !stored.size_of(pack) && !view.number(pack); });
    return packs;
}

}  // namespace

std::optional<LogRecord> due_checkpoint(Repository& repository, GcState const& log,
                                        std::set<SessionId> const& given_up,
                                        PruneRequest const& request) {
    if (log.ends_in_condemn) return std::nullopt;
    LogRecord record{LogKind::checkpoint, {}, {}, {}};
    // Each repeats all that is known: the more that is, the rarer they are.
    std::uint64_t const known = log.closed.size() + log.swept.size();
    bool is_due = log.since_checkpoint >= std::max(records_per_checkpoint, known / 1024);
    for (auto const& object : repository.store().list("snapshots/")) {
        auto const id = SessionId::parse(last_component(object.name));
        if (!id || log.closed.contains(*id)) continue;
        bool const is_forgotten = given_up.contains(*id);
        if (!is_forgotten && !is_killed(repository, object.name)) continue;
        record.slots.push_back(*id);
        // Else each check would tell of it.
        is_due = is_due || (is_forgotten && is_damaged(repository, object.name));
    }
    std::uint64_t const share = std::min(known / 16, most_void);
    is_due = is_due ||
             record.slots.size() >= std::max<std::uint64_t>(request.slots_per_checkpoint, share);
    if (!is_due) return std::nullopt;
    record.slots.insert(record.slots.end(), log.closed.begin(), log.closed.end());
    record.packs =
        with_sound_index(repository, [&] { return swept_to_repeat(repository, log, request); });
    return record;
}

}  // namespace coffre
