#include "engine/check.h"
#include "engine/repository/repository.h"
#include "engine/snapshots.h"

namespace coffre {

RepositoryStatistics gather_statistics(Repository& repository) {
    RepositoryStatistics statistics;
    repository.store().each(
        "", [&](ObjectInfo const& object) { statistics.stored_bytes += object.size; });
    auto list = list_snapshots(repository);
    statistics.damaged = std::move(list.damaged);
    for (auto const& named : list.snapshots) {
        ++statistics.snapshots;
        statistics.restored_bytes += named.snapshot.statistics.bytes;
    }
    with_sound_index(repository, [&] {
        repository.refresh_index();
        Index::View const view = repository.index_view();
        statistics.packs = statistics.chunks = statistics.plain_bytes = 0;
        view.each_pack([&](PackNumber number, IndexedPack const&) {
            ++statistics.packs;
            for (auto const& block : view.directory(number).blocks) {
                statistics.chunks += block.chunks.size();
                statistics.plain_bytes += block.plain_size;
            }
        });
    });
    return statistics;
}

}  // namespace coffre
