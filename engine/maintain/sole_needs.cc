#include "engine/maintain/sole_needs.h"

#include "engine/repository/names.h"

namespace coffre {

namespace {

void mark(Reachable& reachable, NamedSnapshot const& named, Progress const& progress) {
    progress.check_stop();
    reachable.mark(names::snapshot(named.id), named.snapshot.root);
}

}  // namespace

// What a snapshot is the first to need, and the last one, too, only that one needs.
std::vector<std::uint64_t> sole_needs(Repository& repository,
                                      std::vector<NamedSnapshot> const& snapshots, Reachable& all,
                                      Progress const& progress) {
    std::uint32_t current = 0;
    Reachable from_first(repository, [](PackNumber) { return 0U; });
    SpilledArray<std::uint32_t> firsts(repository.folder());  // by the chunk's number
    from_first.on_marked([&](PackNumber pack, std::uint32_t ordinal, std::uint32_t) {
        std::uint64_t const number = from_first.number_of(pack, ordinal);
        if (number >= firsts.size()) firsts.resize(number + 1);
        firsts[number] = current;
    });
    for (auto const& named : snapshots) {
        mark(from_first, named, progress);
        ++current;
    }
    std::vector<std::uint64_t> sole(snapshots.size());
    all.on_marked([&](PackNumber pack, std::uint32_t ordinal, std::uint32_t stored) {
        if (!from_first.is_marked(pack, ordinal)) return;  // a copy that has come meanwhile
        if (firsts[from_first.number_of(pack, ordinal)] == current) sole[current] += stored;
    });
    while (current > 0) mark(all, snapshots[--current], progress);
    all.on_marked(nullptr);
    return sole;
}

}  // namespace coffre
