// What each stage costs on one core, alone: bytes per second, on data that is in memory.
//
//   cmake --preset release -DCOFFRE_BENCH=ON && cmake --build build/release --target stages
//   build/release/bench/stages --benchmark_min_time=1
//
// SPDX-License-Identifier: GPL-3.0-or-later
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <random>

#include "engine/backend/local.h"
#include "engine/chunk/chunker.h"
#include "engine/codec/coincidence.h"
#include "engine/codec/zstd.h"
#include "engine/crypto/block_seal.h"
#include "engine/crypto/hash.h"
#include "engine/index/load.h"
#include "engine/repository/pack_store.h"
#include "engine/repository/packer.h"
#include "engine/util/fd.h"
#include "format/limits.h"

namespace coffre {
namespace {

constexpr std::size_t mib = limits::mib;
constexpr std::size_t data_size = 64 * mib;
constexpr std::size_t chunk_size = 64 * 1024;

// Incompressible, as images and video are.
Bytes media() {
    Bytes bytes(data_size);
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
        std::uint64_t const word = random();
        std::memcpy(bytes.data() + i, &word, sizeof word);
    }
    return bytes;
}

// Rows of a dump of a database.
Bytes sql() {
    std::mt19937_64 random(2);
    std::string text;
    text.reserve(data_size + 256);
    for (std::uint64_t row = 1; text.size() < data_size; ++row) {
        text += "INSERT INTO `asset` VALUES (" + std::to_string(row) + ",'photo-" +
                std::to_string(random() % 1'000'000) + ".jpg'," + std::to_string(random() % 4096) +
                ",'2026-0" + std::to_string(1 + random() % 9) + "-1" +
                std::to_string(random() % 10) + " 12:00:00','image/jpeg',NULL);\n";
    }
    text.resize(data_size);
    ByteView const view = as_bytes(text);
    return {view.begin(), view.end()};
}

Bytes const& data_of(bool is_text) {
    static Bytes const images = media();
    static Bytes const text = sql();
    return is_text ? text : images;
}

SecretKey some_key() {
    return SecretKey(Bytes(SecretKey::size, std::byte{7}));
}

void count_bytes(benchmark::State& state, std::size_t each) {
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                            static_cast<std::int64_t>(each));
}

// A folder that goes with the benchmark, on the disk of the working folder.
class Folder {
public:
    Folder() {
        std::string name = std::filesystem::absolute("stages.XXXXXX");
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
        path_ = name;
    }
    Folder(Folder const&) = delete;
    Folder& operator=(Folder const&) = delete;
    ~Folder() { std::filesystem::remove_all(path_); }
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

void read_cached_file(benchmark::State& state) {
    Folder const folder;
    Fd const file(::open((folder.path() + "/file").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
    write_full(file.get(), data_of(false));
    Bytes buffer(4 * mib);
    for (auto _ : state) {
        for (std::size_t at = 0; at < data_size; at += buffer.size()) {
            benchmark::DoNotOptimize(pread_full(file.get(), buffer, static_cast<off_t>(at)));
        }
    }
    count_bytes(state, data_size);
}
BENCHMARK(read_cached_file);

void chunk(benchmark::State& state, CandidateForm const& form, bool is_text) {
    // As much as the walk reads at a time: it is in a cache still.
    ByteView const data = ByteView(data_of(is_text)).first(4 * mib);
    Chunker const chunker(some_key(), {}, form);
    for (auto _ : state) {
        for (ByteView rest = data; !rest.empty();) rest = rest.subspan(chunker.cut(rest));
    }
    count_bytes(state, data.size());
}

void register_chunk() {
    for (auto const& form : candidate_forms()) {
        for (bool const is_text : {false, true}) {
            std::string const name =
                std::string("chunk/") + form.name + (is_text ? "/text" : "/media");
            benchmark::RegisterBenchmark(
                name.c_str(), [=](benchmark::State& state) { chunk(state, form, is_text); });
        }
    }
}

void identify(benchmark::State& state) {
    ChunkNamer const namer(some_key());
    auto const size = static_cast<std::size_t>(state.range(0));
    ByteView const data = data_of(false);
    for (auto _ : state) {
        for (std::size_t at = 0; at + size <= data_size; at += size) {
            benchmark::DoNotOptimize(namer.name(PackKind::data, data.subspan(at, size)));
        }
    }
    count_bytes(state, data_size / size * size);
}
BENCHMARK(identify)->ArgName("chunk")->Arg(4 << 10)->Arg(16 << 10)->Arg(64 << 10)->Arg(512 << 10);

void hash_file(benchmark::State& state) {
    for (auto _ : state) {
        FileHasher hasher;
        hasher.update(data_of(false));
        benchmark::DoNotOptimize(hasher.hash());
    }
    count_bytes(state, data_size);
}
BENCHMARK(hash_file);

void check_sum(benchmark::State& state) {
    ByteView const data = data_of(false);
    for (auto _ : state) {
        for (std::size_t at = 0; at < data_size; at += mib) {
            benchmark::DoNotOptimize(xxh3(data.subspan(at, mib)));
        }
    }
    count_bytes(state, data_size);
}
BENCHMARK(check_sum);

void compress(benchmark::State& state) {
    ByteView const data = data_of(true);
    Compressor compressor;
    std::size_t stored = 0;
    std::size_t at = 0;
    for (auto _ : state) {
        auto const frame =
            compressor.compress_if_it_pays(data.subspan(at, mib), static_cast<int>(state.range(0)));
        stored += frame ? frame->size() : mib;
        at = (at + mib) % data_size;
    }
    count_bytes(state, mib);
    state.counters["ratio"] = static_cast<double>(state.iterations()) * static_cast<double>(mib) /
                              static_cast<double>(stored);
}
BENCHMARK(compress)->ArgName("level")->Arg(1)->Arg(3)->Arg(9);

void tell_random_bytes(benchmark::State& state) {
    ByteView const data = data_of(false);
    for (auto _ : state) {
        for (std::size_t at = 0; at < data_size; at += chunk_size) {
            benchmark::DoNotOptimize(looks_random(data.subspan(at, chunk_size)));
        }
    }
    count_bytes(state, data_size);
}
BENCHMARK(tell_random_bytes);

void decompress(benchmark::State& state) {
    ByteView const plain = ByteView(data_of(true)).first(mib);
    Bytes const frame = Compressor().compress_if_it_pays(plain, 3).value();
    Decompressor decompressor;
    for (auto _ : state) benchmark::DoNotOptimize(decompressor.decompress(frame, mib, {}));
    count_bytes(state, mib);
}
BENCHMARK(decompress);

SessionKey some_session_key(Cipher cipher) {
    return {random_id<KeyId>(), PackKind::data, cipher, some_key()};
}

void seal(benchmark::State& state) {
    auto const key = some_session_key(static_cast<Cipher>(state.range(0)));
    auto const repository = random_id<RepositoryId>();
    ByteView const plain = ByteView(data_of(false)).first(mib);
    for (auto _ : state) benchmark::DoNotOptimize(seal_block(key, repository, plain));
    count_bytes(state, mib);
}
BENCHMARK(seal)
    ->ArgName("cipher")
    ->Arg(static_cast<int>(Cipher::aes_256_gcm))
    ->Arg(static_cast<int>(Cipher::chacha20_poly1305));

// By each library that can, the fastest first.
void aes(benchmark::State& state) {
    auto const& all = aeads(Cipher::aes_256_gcm);
    auto const number = static_cast<std::size_t>(state.range(0));
    if (number >= all.size()) return state.SkipWithError("there is one only on this processor");
    SecretKey const key = SecretKey::random();
    ByteView const plain = ByteView(data_of(false)).first(mib);
    Bytes sealed(mib + aead_tag_size);
    for (auto _ : state) all[number].encrypt(key, {}, plain, sealed);
    count_bytes(state, mib);
}
BENCHMARK(aes)->ArgName("library")->Arg(0)->Arg(1);

void unseal(benchmark::State& state) {
    auto const key = some_session_key(fastest_cipher());
    auto const repository = random_id<RepositoryId>();
    Bytes const sealed = seal_block(key, repository, ByteView(data_of(false)).first(mib));
    for (auto _ : state) benchmark::DoNotOptimize(unseal_block(key, repository, sealed));
    count_bytes(state, mib);
}
BENCHMARK(unseal);

// With a barrier for each bundle.
void put_packs(benchmark::State& state) {
    Folder const folder;
    create_local_store(folder.path() + "/store");
    auto const store = open_local_store(folder.path() + "/store");
    ByteView const pack = ByteView(data_of(false)).first(full_pack_bytes);
    std::size_t count = 0;
    for (auto _ : state) {
        store->put("packs/00/" + std::to_string(count++), pack);
        if (count % packs_per_bundle == 0) store->barrier();
    }
    count_bytes(state, pack.size());
}
BENCHMARK(put_packs)->UseRealTime()->Iterations(128);

ChunkId draw_id(std::mt19937_64& random) {
    ChunkId id;
    for (std::size_t at = 0; at < ChunkId::size; at += sizeof(std::uint64_t)) {
        std::uint64_t const word = random();
        std::memcpy(id.bytes.data() + at, &word, sizeof word);
    }
    return id;
}

// A bundle of 16 packs of 16 blocks, each with 16 chunks.
Bundle make_bundle(std::vector<ChunkId>& ids) {
    static std::mt19937_64 random(4);
    Bundle bundle(16);
    for (auto& row : bundle) {
        row.pack = random_id<PackId>();
        PackDirectory directory;
        for (std::uint32_t at = 0; at < 16; ++at) {
            BlockRow block;
            block.offset = 64 + std::uint64_t{at} * mib;
            block.stored_size = block.plain_size = mib;
            for (std::uint32_t i = 0; i < 16; ++i) {
                ids.push_back(draw_id(random));
                block.chunks.push_back({ids.back(), i * 65536, 65536});
            }
            directory.blocks.push_back(std::move(block));
        }
        row.directory = encode_pack_directory(directory);
        row.pack_size = 17 * mib;
    }
    return bundle;
}

void add_to_index(benchmark::State& state) {
    Folder const folder;
    Index index(folder.path(), 1);
    std::vector<ChunkId> ids;
    for (auto _ : state) {
        state.PauseTiming();
        Bundle const bundle = make_bundle(ids);
        state.ResumeTiming();
        index.add(random_id<BundleId>(), bundle);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(ids.size()));
}
BENCHMARK(add_to_index)->UseRealTime()->Iterations(64);

// As a machine does that sees a repository for the first time.
std::vector<ChunkId> fill_index(Index& index, std::size_t chunks) {
    std::vector<ChunkId> ids;
    ids.reserve(chunks);
    Index::Load load(index);
    while (ids.size() < chunks) load.add(random_id<BundleId>(), make_bundle(ids));
    load.finish();
    return ids;
}

void load_index(benchmark::State& state) {
    for (auto _ : state) {
        Folder const folder;
        Index index(folder.path(), 1);
        fill_index(index, static_cast<std::size_t>(state.range(0)));
    }
    state.SetItemsProcessed(state.range(0));
}
BENCHMARK(load_index)->ArgName("chunks")->Arg(10'000'000)->UseRealTime()->Iterations(1);

// Filled once: a benchmark is called several times.
struct FilledIndex {
    explicit FilledIndex(std::size_t chunks) : ids(fill_index(*index, chunks)) {}

    Folder folder;
    std::shared_ptr<Index> index = std::make_shared<Index>(folder.path(), 1);
    std::vector<ChunkId> ids;
};

FilledIndex const& filled_index(std::size_t chunks) {
    static std::map<std::size_t, FilledIndex> filled;
    return filled.try_emplace(chunks, chunks).first->second;
}

void find_in_index(benchmark::State& state) {
    auto const& [folder, index, ids] = filled_index(static_cast<std::size_t>(state.range(1)));
    Index::View const view(index);
    bool const is_miss = state.range(0) != 0;
    std::mt19937_64 random(3);
    for (auto _ : state) {
        ChunkId const id = is_miss ? draw_id(random) : ids[random() % ids.size()];
        benchmark::DoNotOptimize(view.find(id, [](PackNumber) { return true; }));
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}
BENCHMARK(find_in_index)
    ->ArgNames({"miss", "chunks"})
    ->ArgsProduct({{0, 1}, {1'000'000, 10'000'000}});

}  // namespace
}  // namespace coffre

int main(int argc, char** argv) {
    coffre::register_chunk();
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
