#include "engine/maintain/salvage.h"

#include "engine/repository/chunk_reader.h"
#include "engine/repository/chunk_store.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t salvage_cache = 16 * limits::mib;

class Salvage {
public:
    Salvage(Repository& repository, GcState const& log, std::set<PackId> const& unreadable)
        : log_(log),
          unreadable_(unreadable),
          reader_(repository, salvage_cache),
          store_(repository, SessionId{}) {}

    void save_pack(PackId const& pack, Progress const& progress) {
        auto const number = reader_.view().number(pack);
        if (!number) return;
        PackDirectory const directory = reader_.view().directory(*number);
        for (auto const& block : directory.blocks) {
            for (auto const& chunk : block.chunks) {
                progress.check_stop();
                if (!has_sound_copy(chunk.id)) save_chunk(directory.kind, chunk.id);
            }
        }
    }
    Salvaged finish() {
        store_.finish();
        return done_;
    }

private:
    bool has_sound_copy(ChunkId const& id) {
        auto const is_sound = [&](PackNumber number) {
            PackId const pack = reader_.view().pack(number).id;
            return !unreadable_.contains(pack) &&
                   (log_.usable(pack) || mutant("count-on-condemned"));
        };
        return reader_.view().find(id, is_sound).has_value();
    }

    void save_chunk(PackKind kind, ChunkId const& id) {
        try {
            store_.add(kind, id, reader_.read(kind, id));
            ++done_.saved;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            ++done_.lost;
        }
    }

    GcState const& log_;
    std::set<PackId> const& unreadable_;
    ChunkReader reader_;
    ChunkStore store_;
    Salvaged done_;
};

}  // namespace

Salvaged salvage(Repository& repository, GcState const& log, std::set<PackId> const& bad,
                 std::set<PackId> const& unreadable, Progress const& progress) {
    Salvage saving(repository, log, unreadable);
    for (auto const& pack : bad) saving.save_pack(pack, progress);
    return saving.finish();
}

}  // namespace coffre
