#include "engine/maintain/prune_plan.h"

#include <algorithm>

#include "engine/crypto/hash.h"
#include "engine/repository/damage_notes.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/packer.h"

namespace coffre {

namespace {

// Small packs are what short runs leave: many of them are moved together.
constexpr double small_pack = 0.5;  // of a full one
constexpr std::size_t many_small_packs = 8;

// What would free less than one in so many parts of a pack is not worth moving the others, for the
// sake of directories and padding alone.
constexpr std::uint64_t worthwhile_share = 50;

// What moving the pack would free: of its directory and padding a share.
std::uint64_t waste_of(PackUse const& use) {
    if (use.unused == 0) return 0;
    auto const part =
        static_cast<double>(use.unused) / static_cast<double>(use.needed + use.unused);
    return static_cast<std::uint64_t>(static_cast<double>(use.size) * part);
}

class Planner {
public:
    Planner(Repository& repository, GcState const& log, StoreListing const& listed,
            Reachable const& reachable, PruneRequest const& request)
        : repository_(repository),
          log_(log),
          listed_(listed),
          reachable_(reachable),
          request_(request),
          view_(repository.index_view()),
          damaged_(noted_damaged(repository.folder())),
          movable_(repository.folder()) {}

    PrunePlan plan() {
        for (auto const& [id, size] : listed_.packs) {
            ++plan_.sums.total.packs;
            plan_.sums.total.bytes += size;
            look_at(id, size);
        }
        plan_.sums.frees = plan_.sums.unneeded.bytes;
        choose();
        return std::move(plan_);
    }

private:
    // A pack whose session may still publish belongs to that session.
    bool is_settled(SessionId const& session) const {
        return session.is_zero() || listed_.slots.contains(session) ||
               log_.closed.contains(session);
    }

    void look_at(PackId const& id, std::uint64_t size) {
        PackUse use{id, view_.number(id), PackKind::data, size};
        // Another collector may have removed it since it was listed.
        auto const session =
            use.number ? view_.pack(*use.number).session : session_of_pack(repository_.store(), id);
        if (!session) return;
        if (!is_settled(*session)) {
            ++plan_.sums.kept_for_writers.packs;
            plan_.sums.kept_for_writers.bytes += size;
            return;
        }
        if (use.number) measure(use);
        if (use.is_needed) {
            keep(use);
        } else {
            ++plan_.sums.unneeded.packs;
            plan_.sums.unneeded.bytes += size;
            plan_.unneeded.push_back(id);
            plan_.has_leftovers = plan_.has_leftovers || (!use.number && session->is_zero());
        }
    }

    // Only what may be moved is remembered.
    void keep(PackUse const& use) {
        plan_.sums.unused += use.unused;
        // What is damaged would end the collection: it stays until it is repaired.
        if (damaged_.contains(use.id)) return;
        kept_bytes_ += use.size;
        needed_bytes_ += use.needed;
        if (use.is_small) ++small_packs_[use.kind];
        if (use.is_small || use.unused > 0) movable_.push_back(use);
    }

    void measure(PackUse& use) const {
        PackDirectory const directory = view_.directory(*use.number);
        use.kind = directory.kind;
        auto const chunks = PackChunks(directory).chunks;
        PackFill const fill{use.size, chunks.size(), directory.keys.size()};
        use.is_small = fill.share() < small_pack;
        for (auto const& chunk : chunks) {
            bool const is_marked = reachable_.is_marked(*use.number, chunk.ordinal);
            use.is_needed = use.is_needed || is_marked;
            (is_marked ? use.needed : use.unused) += chunk.stored;
        }
        if (use.is_needed) use.directory_hash = xxh3(encode_pack_directory(directory));
    }

    void choose() {
        if (!request_.max_unused && !request_.max_unused_bytes) return;
        std::sort(movable_.begin(), movable_.end(), [](PackUse const& a, PackUse const& b) {
            auto const share = [](PackUse const& use) {
                return static_cast<double>(use.unused) / static_cast<double>(use.size);
            };
            return share(a) > share(b);
        });
        auto const share = request_.max_unused.value_or(0) * static_cast<double>(needed_bytes_);
        auto const tolerated =
            request_.max_unused_bytes.value_or(static_cast<std::uint64_t>(share));
        move_until(tolerated);
    }

    // The emptiest first, until what is not needed is little enough, padding and directories
    // included.
    void move_until(std::uint64_t tolerated) {
        std::uint64_t total = kept_bytes_;
        std::uint64_t moved = 0;
        std::uint64_t unused = plan_.sums.unused;
        std::map<PackKind, std::size_t> due;
        std::map<PackKind, std::size_t> merged;
        for (auto const& use : movable_) {
            bool const is_worthwhile =
                unused > tolerated || waste_of(use) >= use.size / worthwhile_share;
            bool const is_due =
                use.unused > 0 && is_worthwhile && total > needed_bytes_ + tolerated;
            if (!is_due && !is_one_of_many(use)) continue;
            if (moved + use.needed > request_.max_repack_bytes) continue;
            moved += use.needed;
            total -= waste_of(use);
            unused -= use.unused;
            ++(is_due ? due : merged)[use.kind];
            plan_.repack.push_back(use);
        }
        // One small pack would make one small pack.
        std::erase_if(plan_.repack, [&](PackUse const& use) {
            return due[use.kind] == 0 && merged[use.kind] == 1;
        });
        for (auto const& use : plan_.repack) sum_up(use);
    }

    void sum_up(PackUse const& use) {
        ++plan_.sums.repacked.packs;
        plan_.sums.repacked.bytes += use.needed;
        plan_.sums.unused -= use.unused;
        plan_.sums.frees += waste_of(use);
    }

    bool is_one_of_many(PackUse const& use) {
        return use.is_small && small_packs_[use.kind] >= many_small_packs;
    }

    Repository& repository_;
    GcState const& log_;
    StoreListing const& listed_;
    Reachable const& reachable_;
    PruneRequest const& request_;
    Index::View view_;
    std::set<PackId> const damaged_;  // as far as this machine has met
    SpilledArray<PackUse> movable_;
    std::uint64_t kept_bytes_ = 0;    // of packs that are needed
    std::uint64_t needed_bytes_ = 0;  // and in them
    std::map<PackKind, std::size_t> small_packs_;
    PrunePlan plan_;
};

}  // namespace

StoreListing::StoreListing(Repository& repository, GcState const& log) : packs(repository, log) {
    for (auto const& object : repository.store().list("snapshots/")) {
        if (auto const id = SessionId::parse(last_component(object.name))) slots.insert(*id);
    }
}

PrunePlan plan_prune(Repository& repository, GcState const& log, StoreListing const& listed,
                     Reachable const& reachable, PruneRequest const& request) {
    return Planner(repository, log, listed, reachable, request).plan();
}

}  // namespace coffre
