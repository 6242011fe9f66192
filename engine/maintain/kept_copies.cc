#include "engine/maintain/kept_copies.h"

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t blocks_cache = 16 * limits::mib;

class KeptCopies {
public:
    KeptCopies(Repository& repository, Reachable& reachable, Progress const& progress)
        : reachable_(reachable), progress_(progress), reader_(repository, blocks_cache) {}

    void look_at(PackId const& id) {
        auto const number = reader_.view().number(id);
        if (!number) return;
        PackDirectory const directory = reader_.view().directory(*number);
        std::uint32_t ordinal = 0;
        std::uint32_t block = 0;
        for (auto const& row : directory.blocks) {
            for (auto const& chunk : row.chunks) {
                if (!reachable_.is_marked(*number, ordinal++)) compare({*number, block}, chunk.id);
            }
            ++block;
        }
    }
    bool are_sound() const { return are_sound_; }

private:
    void compare(ChunkPlace const& dropped, ChunkId const& id) {
        progress_.check_stop();
        auto const kept = reachable_.marked_place(id);
        if (!kept || reader_.is_readable(*kept, id)) return;
        if (reader_.is_readable(dropped, id)) are_sound_ = false;
    }

    Reachable& reachable_;
    Progress const& progress_;
    ChunkReader reader_;
    bool are_sound_ = true;
};

}  // namespace

bool are_kept_copies_sound(Repository& repository, Reachable& reachable, PrunePlan const& plan,
                           Progress const& progress) {
    KeptCopies copies(repository, reachable, progress);
    for (auto const& pack : plan.unneeded) copies.look_at(pack);
    for (auto const& use : plan.repack) copies.look_at(use.id);
    return copies.are_sound();
}

}  // namespace coffre
