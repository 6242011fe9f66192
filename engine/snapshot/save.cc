#include "engine/snapshot/save.h"

#include <variant>

#include "engine/repository/packer.h"
#include "engine/snapshot/identify.h"
#include "engine/snapshot/record.h"
#include "engine/snapshot/split.h"
#include "engine/util/ordered_stage.h"
#include "engine/util/workers.h"

namespace coffre {

namespace {

// More than processors: an upload waits for the disk most of the time.
constexpr std::size_t most_uploads = 4;

// Of what is compared with the sources, some was given up and collected: no collection waits for a
// session that began after its condemn record.
RepositoryError overtaken(std::string const& what) {
    return {RepositoryFailure::fenced,
            "an earlier snapshot was collected meanwhile (" + what + ")"};
}

}  // namespace

Saved Saving::save(SaveOptions const& options, Produce const& produce) {
    try {
        return run(options, produce);
    } catch (RepositoryError const& error) {
        try {
            publisher_.finish_packs();
        } catch (RepositoryError const&) {
            // The first failure is the one to tell.
        }
        if (error.kind() == RepositoryFailure::corrupt &&
            has_log_grown(repository_.store(), log_)) {
            throw overtaken(error.what());
        }
        throw;
    }
}

// produce -> [identify] -> record -> [encode into packs] -> [put] -> publish
//
// Declared from the last to the first, so that a stage stops before the one it feeds.
Saved Saving::run(SaveOptions const& options, Produce const& produce) {
    SessionKeys const keys(repository_.keys());
    std::size_t const cores = worker_count(options.threads);
    std::size_t const uploads = cores == 1 ? 1 : most_uploads;
    OrderedStage<OpenPack, BundleRow> put(
        uploads, uploads, [&](OpenPack pack) { return store(options, std::move(pack)); },
        [&](BundleRow row) {
            if (!options.dry_run) publisher_.add(std::move(row));
        });
    Packer packer(options.session, [&](OpenPack pack) { put.push(std::move(pack)); });
    OrderedStage<Block, std::monostate> encode(
        cores, 2 * cores,
        [&](Block block) {
            packer.seal(compress_block(std::move(block), options.compression_level), keys,
                        repository_.id());
            return std::monostate{};
        },
        [](std::monostate) {});
    Recorder record(repository_, log_, claimed_,
                    [&](Block block) { encode.push(std::move(block)); });
    OrderedStage<Batch, Batch> identified(
        cores, cores, [&](Batch batch) { return identify(repository_.namer(), std::move(batch)); },
        [&](Batch const& batch) { record.add(batch); });
    produce(std::make_shared<PagePool>(batch_buffer_size(repository_.chunker().sizes())),
            [&](Batch batch) { identified.push(std::move(batch)); });
    identified.finish();
    record.finish();
    encode.finish();
    packer.flush();
    put.finish();
    publisher_.finish_packs();
    Saved saved{record.root(), record.statistics(), record.reused_packs()};
    saved.statistics.bytes_stored = packer.stored_bytes();
    return saved;
}

BundleRow Saving::store(SaveOptions const& options, OpenPack pack) const {
    KeyRing const& keys = repository_.keys();
    if (options.dry_run) return finish_pack(keys, std::move(pack)).row;
    return put_pack(repository_.store(), keys, std::move(pack));
}

}  // namespace coffre
