#include "engine/measure/stages.h"

#include <unistd.h>

#include <atomic>
#include <future>
#include <numeric>
#include <utility>

#include "engine/error.h"
#include "engine/repository/packer.h"
#include "engine/util/clock.h"
#include "engine/util/direct_write.h"
#include "engine/util/fd.h"
#include "engine/util/workers.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr double shortest_seconds = 0.1;  // of a measurement: shorter ones are repeated
constexpr std::size_t group_size = 4 * limits::mib;
constexpr int packs = 32;

std::uint64_t plain_bytes(std::vector<Block> const& blocks) {
    return std::accumulate(
        blocks.begin(), blocks.end(), std::uint64_t{0},
        [](std::uint64_t sum, Block const& block) { return sum + block.plain.size(); });
}

}  // namespace

double run_jobs(std::size_t count, unsigned threads, std::function<void(std::size_t)> const& job) {
    auto const start = std::chrono::steady_clock::now();
    std::atomic<std::size_t> next{0};
    auto const work = [&] {
        for (std::size_t i = next++; i < count; i = next++) job(i);
    };
    std::vector<std::future<void>> others;
    for (unsigned i = 1; i < threads; ++i) others.push_back(std::async(std::launch::async, work));
    work();
    for (auto& other : others) other.get();
    return seconds_since(start);
}

Stages::Stages(BenchRequest const& request, Progress& progress)
    : threads_(worker_count(request.threads)),
      level_(request.compression_level),
      pack_memory_(std::make_shared<PagePool>(full_pack_bytes)),
      progress_(progress) {}

void Stages::read(std::vector<Piece> const& pieces) {
    pieces_.resize(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) pieces_[i].bytes.resize(pieces[i].size);
    StageSpeed speed{"read", 0, 0};
    for (std::size_t half = 0; half < 2; ++half) {
        auto const read_one = [&](std::size_t i) {
            read_piece(pieces[2 * i + half], pieces_[2 * i + half].bytes, progress_);
        };
        std::uint64_t const before = progress_.bytes;
        std::size_t const count = (pieces.size() + 1 - half) / 2;
        double const seconds = run_jobs(count, half == 0 ? 1 : threads_, read_one);
        auto const bytes = static_cast<double>(progress_.bytes - before);
        (half == 0 ? speed.one_thread : speed.all_threads) = bytes / seconds;
    }
    // One half may have nothing that can be read.
    if (speed.all_threads == 0) speed.all_threads = speed.one_thread;
    if (speed.one_thread == 0) speed.one_thread = speed.all_threads;
    speeds_.push_back(speed);
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        if (i == 0 || pieces[i].path != pieces[i - 1].path) ++sample_.files;
        if (pieces_[i].bytes.empty()) ++sample_.unreadable;
        sample_.bytes += pieces_[i].bytes.size();
    }
}

double Stages::speed(std::uint64_t bytes, std::size_t count, unsigned threads,
                     Job const& job) const {
    double seconds = 0;
    double passed = 0;
    do {
        seconds += run_jobs(count, threads, [&](std::size_t i) {
            progress_.check_stop();
            job(i);
        });
        passed += static_cast<double>(bytes);
    } while (seconds < shortest_seconds);
    return passed / seconds;
}

StageSpeed Stages::measure(std::string const& stage, std::uint64_t bytes, std::size_t count,
                           Job const& job) const {
    double const one = speed(bytes, count, 1, job);
    double const all = threads_ == 1 ? one : speed(bytes, count, threads_, job);
    return {stage, one, all};
}

void Stages::make_groups() {
    std::size_t size = group_size;
    for (std::size_t i = 0; i < pieces_.size(); ++i) {
        if (size >= group_size) {
            groups_.push_back(i);
            size = 0;
        }
        size += pieces_[i].bytes.size();
    }
    groups_.push_back(pieces_.size());
}

// The sample is in memory once: what a later stage works on takes the place of what was before.
void Stages::measure_all() {
    make_groups();
    std::size_t const count = pieces_.size();
    speeds_.push_back(measure("chunk", sample_.bytes, count,
                              [&](std::size_t i) { cut(pieces_[i], keys_.chunker); }));
    speeds_.push_back(measure("identify", sample_.bytes, count,
                              [&](std::size_t i) { identify(pieces_[i], keys_.namer); }));
    for (auto const& piece : pieces_) sample_.chunks += piece.chunks.size();
    auto const snapshot = measure("snapshot", sample_.bytes, groups_.size() - 1,
                                  [&](std::size_t i) { save_group(i); });
    UniqueBlocks unique;
    for (auto& piece : pieces_) unique.add(std::exchange(piece, {}));
    measure_blocks(unique.take());
    speeds_.push_back(snapshot);
    speeds_.push_back(measure("restore", sample_.unique_bytes, sealed_.size(),
                              [&](std::size_t i) { restore_block(i); }));
}

void Stages::measure_blocks(std::vector<Block> blocks) {
    sample_.unique_bytes = plain_bytes(blocks);
    speeds_.push_back(measure("compress", sample_.unique_bytes, blocks.size(), [&](std::size_t i) {
        thread_local Compressor compressor;
        if (level_ != 0 && !blocks[i].looks_random)
            compressor.compress_if_it_pays(blocks[i].plain, level_);
    }));
    sealed_.resize(blocks.size());
    run_jobs(blocks.size(), threads_, [&](std::size_t i) {
        progress_.check_stop();
        sealed_[i] = encode_block(std::move(blocks[i]), keys_.session, keys_.repository, level_);
    });
    for (auto const& block : sealed_) sample_.stored_bytes += block.stored.size();
    // What is sealed is as long as what comes out.
    speeds_.push_back(measure("seal", sample_.unique_bytes, sealed_.size(), [&](std::size_t i) {
        seal_block(keys_.session, keys_.repository, sealed_[i].stored);
    }));
}

// All of a snapshot's work on some MiB, as if nothing of it was known, but for writing.
void Stages::save_group(std::size_t group) {
    UniqueBlocks unique;
    for (std::size_t i = groups_[group]; i < groups_[group + 1]; ++i) {
        SamplePiece& piece = pieces_[i];
        FileHasher hasher;
        hasher.update(piece.bytes);
        hasher.hash();
        cut(piece, keys_.chunker);
        identify(piece, keys_.namer);
        unique.add(piece);
    }
    OpenPack pack = begin_pack(PackKind::data, {}, {}, pack_memory_->get());
    for (auto& block : unique.take()) {
        EncodedBlock encoded = compress_block(std::move(block), level_);
        encoded.row.stored_size =
            static_cast<std::uint32_t>(sealed_size(keys_.session, encoded.content.size()));
        BlockPlace const place = place_block(pack, std::move(encoded.row));
        seal_block(keys_.session, keys_.repository, encoded.content, place.bytes());
        pack.checksums.add(ChecksumTable::of_units(place.pack, place.offset));
    }
    pack.checksums.finish(pack.bytes.view());
}

void Stages::restore_block(std::size_t block) const {
    SealedBlock const& sealed = sealed_[block];
    Bytes const plain =
        decode_block(sealed.stored, sealed.row, keys_.session, keys_.repository, {});
    verify_chunks(plain, sealed.row, PackKind::data, keys_.namer);
}

double measure_writing(std::string const& folder, Progress& progress) {
    Bytes pack(full_pack_bytes);
    fill_noise(pack);
    auto const start = std::chrono::steady_clock::now();
    for (int i = 0; i < packs; ++i) {
        progress.check_stop();
        Fd const file = open_nameless(folder);
        if (!file || !write_past_cache(file.get(), pack) || ::fsync(file.get()) != 0) {
            throw SourceError(folder, folder + ": cannot write there: " + errno_text());
        }
    }
    return static_cast<double>(packs) * static_cast<double>(full_pack_bytes) / seconds_since(start);
}

}  // namespace coffre
