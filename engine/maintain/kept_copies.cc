#include "engine/maintain/kept_copies.h"

#include <algorithm>
#include <iterator>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t blocks_cache = 16 * limits::mib;

class KeptCopies {
public:
    using IsNew = std::function<bool(PackNumber)>;
    KeptCopies(Repository& repository, Reachable& reachable, IsNew is_new, Progress const& progress)
        : reachable_(reachable),
          is_new_(std::move(is_new)),
          progress_(progress),
          reader_(repository, blocks_cache) {}

    // False when the kept copy of one of its chunks cannot be read, and this one can.
    bool is_replaced(PackId const& id) {
        auto const number = reader_.view().number(id);
        if (!number) return true;
        is_replaced_ = true;
        PackDirectory const directory = reader_.view().directory(*number);
        std::uint32_t ordinal = 0;
        std::uint32_t block = 0;
        for (auto const& row : directory.blocks) {
            for (auto const& chunk : row.chunks) {
                if (!reachable_.is_marked(*number, ordinal++)) compare({*number, block}, chunk.id);
            }
            ++block;
        }
        return is_replaced_;
    }

private:
    void compare(ChunkPlace const& dropped, ChunkId const& id) {
        progress_.check_stop();
        auto const kept = reachable_.marked_place(id);
        if (!kept || is_new_(kept->pack) || reader_.is_readable(*kept, id)) return;
        if (reader_.is_readable(dropped, id)) is_replaced_ = false;
    }

    Reachable& reachable_;
    IsNew is_new_;
    Progress const& progress_;
    ChunkReader reader_;
    bool is_replaced_ = true;
};

}  // namespace

bool are_kept_copies_sound(Repository& repository, Reachable& reachable, PrunePlan const& plan,
                           Progress const& progress) {
    KeptCopies copies(
        repository, reachable, [](PackNumber) { return false; }, progress);
    bool are_sound = true;
    for (auto const& pack : plan.unneeded) are_sound = copies.is_replaced(pack) && are_sound;
    for (auto const& use : plan.repack) are_sound = copies.is_replaced(use.id) && are_sound;
    return are_sound;
}

std::vector<PackId> without_only_copies(Repository& repository, Reachable& reachable,
                                        std::vector<PackId> const& packs,
                                        std::function<bool(PackNumber)> const& is_new,
                                        Progress const& progress) {
    KeptCopies copies(repository, reachable, is_new, progress);
    std::vector<PackId> replaced;
    std::copy_if(packs.begin(), packs.end(), std::back_inserter(replaced),
                 [&](PackId const& pack) { return copies.is_replaced(pack); });
    return replaced;
}

}  // namespace coffre
