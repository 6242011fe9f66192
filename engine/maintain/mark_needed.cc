#include "engine/maintain/mark_needed.h"

#include <memory>

#include "engine/repository/damage_notes.h"
#include "engine/repository/names.h"
#include "engine/util/spilled_array.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// Of two copies the one that is not condemned is needed, but one that a command has met damaged
// is the last choice; one that is not in the store is as good as none.
enum class Rank : std::uint8_t { absent, damaged, condemned, sound };
using Ranks = SpilledArray<Rank>;  // by number

Ranks rank_packs(Repository& repository, GcState const& log, StoredPacks const& listed,
                 Index::View const& view) {
    Ranks ranks(repository.folder());
    auto const damaged = noted_damaged(repository.folder());
    view.each_pack([&](PackNumber number, IndexedPack const& pack) {
        ranks.resize(std::max(ranks.size(), std::size_t{number} + 1));
        if (!listed.holds(pack)) return;
        ranks[number] = damaged.contains(pack.id) ? Rank::damaged : Rank::sound;
        if (log.condemned.contains(pack.id)) ranks[number] = Rank::condemned;
    });
    return ranks;
}

void require_all(Reachable const& reachable) {
    if (reachable.missing().empty() || mutant("missing-is-unneeded")) return;
    auto const& [chunk, where] = *reachable.missing().begin();
    throw corrupt(where + ": chunk " + chunk.hex() +
                  " has no copy; nothing is removed: see `repo check`");
}

}  // namespace

void require_whole_index(Repository& repository) {
    repository.refresh_index();
    if (repository.damaged_bundles().empty()) return;
    throw corrupt(
        repository.damaged_bundles().begin()->second +
        "; nothing is removed, since what is in the packs is not known: see `repo check`");
}

Reachable mark_needed(Repository& repository, GcState const& log, StoredPacks const& listed,
                      std::vector<NamedSnapshot> const& snapshots, Progress& progress) {
    Index::View const view = repository.index_view();
    auto const ranks = std::make_shared<Ranks const>(rank_packs(repository, log, listed, view));
    auto const choose = [ranks](PackNumber pack) -> std::optional<unsigned> {
        Rank const rank = pack < ranks->size() ? (*ranks)[pack] : Rank::absent;
        if (rank == Rank::absent) return std::nullopt;
        return static_cast<unsigned>(Rank::sound) - static_cast<unsigned>(rank);
    };
    Reachable reachable(repository, choose);
    for (auto const& named : snapshots) {
        progress.check_stop();
        reachable.mark(names::snapshot(named.id), named.snapshot.root);
    }
    require_all(reachable);
    for (PackNumber pack = 0; pack < ranks->size(); ++pack) {
        bool const stays = (*ranks)[pack] == Rank::sound || (*ranks)[pack] == Rank::damaged;
        if (stays) reachable.mark_bases(view.directory(pack));
    }
    return reachable;
}

void keep_bases_of_pardoned(Reachable& reachable, Repository& repository) {
    Index::View const view = repository.index_view();
    std::size_t seen = 0;
    while (reachable.needed_packs() > seen) {
        seen = reachable.needed_packs();
        reachable.each_needed([&](PackNumber pack) { reachable.mark_bases(view.directory(pack)); });
    }
}

}  // namespace coffre
