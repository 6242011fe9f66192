#include "engine/maintain/repack.h"

#include <algorithm>
#include <set>

#include "engine/crypto/hash.h"
#include "engine/maintain/give_way.h"
#include "engine/repository/block_builder.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/packer.h"
#include "engine/util/clock.h"
#include "engine/util/ordered_stage.h"
#include "engine/util/workers.h"
#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

namespace {

constexpr std::size_t uploads = 1;
// What is known of is not moved again when this run is killed.
constexpr std::size_t packs_per_part = 32;

// What is needed of one pack.
struct Rest {
    PackKind kind = PackKind::data;
    std::vector<WrappedKey> keys;
    std::vector<SealedBlock> blocks;
    PackId pack;
    std::string damage;  // then it stays as it is
};

// Takes one pack apart. Any thread.
class Extraction {
public:
    Extraction(Repository& repository, PackUse const& use, Reachable const& reachable,
               SessionKeys const& fresh_keys, int level)
        : repository_(repository),
          use_(use),
          reachable_(reachable),
          fresh_keys_(fresh_keys),
          level_(level),
          name_(names::pack(use.id)) {}

    Rest run() {
        try {
            take_apart();
        } catch (RepositoryError const& error) {
            // One that is gone was moved by another collection.
            bool const is_damage =
                error.kind() == RepositoryFailure::corrupt && repository_.store().stat(name_);
            if (!is_damage) throw;
            repository_.note_damaged(use_.id);
            rest_ = {};
            rest_.damage = error.what();
        }
        rest_.pack = use_.id;
        return std::move(rest_);
    }

private:
    void take_apart() {
        bytes_ = repository_.store().get(name_, 0, use_.size);
        directory_ = verify_pack(repository_.keys(), name_, bytes_).directory;
        if (xxh3(encode_pack_directory(directory_)) != use_.directory_hash)
            throw corrupt(name_ + ": its directory is not the one in its bundle");
        rest_.kind = directory_.kind;
        rest_.keys = directory_.keys;
        auto const& wrapped = fresh_keys_.wrapped(rest_.kind);
        rest_.keys.insert(rest_.keys.end(), wrapped.begin(), wrapped.end());
        fresh_.emplace(directory_.kind, [this](Block block) { encode(std::move(block)); });
        std::uint32_t ordinal = 0;
        for (auto const& block : directory_.blocks) {
            take(block, ordinal);
            ordinal += static_cast<std::uint32_t>(block.chunks.size());
        }
        fresh_->flush();
    }

    void take(BlockRow const& block, std::uint32_t first) {
        std::vector<ChunkRow> needed;
        for (std::uint32_t i = 0; i < block.chunks.size(); ++i) {
            if (reachable_.is_marked(*use_.number, first + i)) needed.push_back(block.chunks[i]);
        }
        if (needed.empty()) return;
        ByteView const stored = ByteView(bytes_).subspan(block.offset, block.stored_size);
        if (needed.size() == block.chunks.size()) {
            rest_.blocks.push_back({rest_.kind, block, {stored.begin(), stored.end()}});
        } else {
            renew(block, stored, std::move(needed));
        }
    }

    void renew(BlockRow const& block, ByteView stored, std::vector<ChunkRow> needed) {
        naming(name_, [&] {
            auto const sealed_under = repository_.session_key(directory_, block.key);
            Bytes prefix;
            if (!block.bases.empty()) {
                prefix = ChunkReader(repository_, 0).delta_prefix(rest_.kind, block);
            }
            Bytes const plain =
                decode_block(stored, block, *sealed_under, repository_.id(), prefix);
            BlockRow kept;
            kept.chunks = std::move(needed);
            verify_chunks(plain, kept, rest_.kind, repository_.namer());
            for (auto const& chunk : kept.chunks) {
                fresh_->add(chunk.id, ByteView(plain).subspan(chunk.offset, chunk.size));
            }
        });
    }

    void encode(Block block) {
        rest_.blocks.push_back(
            encode_block(std::move(block), fresh_keys_.of(rest_.kind), repository_.id(), level_));
    }

    Repository& repository_;
    PackUse const& use_;
    Reachable const& reachable_;
    SessionKeys const& fresh_keys_;
    int level_;
    std::string name_;
    Bytes bytes_;
    PackDirectory directory_;
    Rest rest_;
    std::optional<BlockBuilder> fresh_;
};

class Repacking {
public:
    Repacking(Repository& repository, Reachable const& reachable, PruneRequest const& request,
              Progress& progress)
        : repository_(repository),
          reachable_(reachable),
          request_(request),
          progress_(progress),
          keys_(repository.keys()),
          give_way_(repository) {}

    Repacked run(std::vector<PackUse> const& packs) {
        // Each holds a pack twice.
        std::size_t const workers = std::max(1U, worker_count(request_.threads) / 2);
        OrderedStage<OpenPack, BundleRow> put(
            uploads, 1,
            [&](OpenPack pack) {
                return put_pack(repository_.store(), repository_.keys(), std::move(pack));
            },
            [&](BundleRow row) { publish(std::move(row)); });
        Packer packer(SessionId{}, [&](OpenPack pack) { put.push(std::move(pack)); });
        Repacked done;
        std::set<PackId> staying;
        OrderedStage<PackUse, Rest> extract(
            workers, 1,
            [&](PackUse const& use) {
                return Extraction(repository_, use, reachable_, keys_, request_.compression_level)
                    .run();
            },
            [&](Rest rest) {
                if (!rest.damage.empty()) {
                    staying.insert(rest.pack);
                    done.damaged.push_back(std::move(rest.damage));
                }
                for (auto& block : rest.blocks) packer.add(std::move(block), rest.keys);
            });
        auto& moved = done.moved;
        for (auto const& use : packs) {
            progress_.check_stop();
            if (request_.gives_way) give_way_.rest_if_others_write();
            if (is_late()) break;
            extract.push(use);
            moved.push_back(use);
            progress_.bytes += use.size;
        }
        extract.finish();
        std::erase_if(moved, [&](PackUse const& use) { return staying.contains(use.id); });
        packer.flush();
        put.finish();
        write_bundle();
        return done;
    }

private:
    bool is_late() const {
        return request_.repack_time &&
               std::chrono::steady_clock::now() - start_ > *request_.repack_time;
    }

    void publish(BundleRow row) {
        open_.add(std::move(row));
        if (open_.is_full(packs_per_part)) write_bundle();
    }

    void write_bundle() {
        if (open_.empty()) return;
        Bundle const rows = open_.take();
        BundleId const id = put_bundle(repository_.store(), repository_.keys(), rows);
        repository_.index()->add(id, rows);
    }

    Repository& repository_;
    Reachable const& reachable_;
    PruneRequest const& request_;
    Progress& progress_;
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
    SessionKeys keys_;  // of blocks that are made anew
    GiveWay give_way_;
    OpenBundle open_;
};

}  // namespace

Repacked repack(Repository& repository, std::vector<PackUse> const& packs,
                Reachable const& reachable, PruneRequest const& request, Progress& progress) {
    if (packs.empty()) return {};
    progress.bytes = 0;
    for (auto const& use : packs) progress.total_bytes += use.size;
    return Repacking(repository, reachable, request, progress).run(packs);
}

}  // namespace coffre
