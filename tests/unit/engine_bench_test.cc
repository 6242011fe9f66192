#include "engine/bench.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>

#include "engine/error.h"
#include "engine/measure/stages.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

constexpr std::uint64_t mib = std::uint64_t{1} << 20U;

class Bench : public testing::Test {
protected:
    BenchReport bench(std::uint64_t sample = 64 * mib) {
        request_.paths = {source_.path()};
        request_.sample_bytes = sample;
        request_.threads = 2;
        Progress progress;
        progress.on_failure = [&](std::string const& path, std::string const&) {
            failures_.push_back(path);
        };
        return bench_paths(request_, progress);
    }

    TempFolder source_;
    BenchRequest request_;
    std::vector<std::string> failures_;
};

TEST_F(Bench, CountsWhatIsThere) {
    make_folder(source_ / "folder");
    write_file(source_ / "folder/a", random_bytes(1, 100'000));
    write_file(source_ / "old", random_bytes(2, 50'000));
    std::filesystem::create_hard_link(source_ / "old", source_ / "second");
    make_symlink(source_ / "link", "folder");
    auto const year = std::chrono::hours(24 * 365);
    std::filesystem::last_write_time(source_ / "old",
                                     std::filesystem::file_time_type::clock::now() - year);
    auto const report = bench();
    EXPECT_EQ(report.found.files, 2U);
    EXPECT_EQ(report.found.directories, 2U);
    EXPECT_EQ(report.found.bytes, 150'000U);
    EXPECT_EQ(report.found.bytes_of_month, 100'000U);
    EXPECT_EQ(report.sample.bytes, 150'000U);
    EXPECT_EQ(report.sample.files, 2U);
    EXPECT_TRUE(report.sample.is_all);
    EXPECT_EQ(report.first.read_bytes, 150'000U);
    EXPECT_EQ(report.daily.read_bytes, 100'000U / 30);
    EXPECT_EQ(report.unchanged.read_bytes, 0U);
}

TEST_F(Bench, LeavesOutWhatIsExcluded) {
    make_folder(source_ / "cache/deep");
    make_folder(source_ / "kept");
    for (auto const* const name : {"cache/deep/a", "kept/a", "kept/b.tmp"})
        write_file(source_ / name, random_bytes(1, 10'000));
    for (auto const* const pattern : {"cache", "*.tmp"}) request_.exclude.add(pattern);
    request_.exclude.add(source_.path());  // which is named: it stays
    auto const report = bench();
    EXPECT_EQ(report.found.files, 1U);
    EXPECT_EQ(report.found.directories, 2U);
    EXPECT_EQ(report.found.bytes, 10'000U);
    EXPECT_EQ(report.sample.bytes, 10'000U);
}

TEST_F(Bench, CountsNoHoles) {
    write_file(source_ / "sparse", random_bytes(1, 100'000));
    std::filesystem::resize_file(source_ / "sparse", std::uint64_t{1} << 40U);
    auto const report = bench();
    EXPECT_LT(report.found.bytes, 200'000U);
    EXPECT_LT(report.sample.bytes, 200'000U);
}

TEST_F(Bench, SeesCopiesAndWhatCompresses) {
    write_file(source_ / "noise", random_bytes(1, 3 * mib));
    auto const noise = bench();
    EXPECT_EQ(noise.sample.unique_bytes, 3 * mib);
    EXPECT_GE(noise.sample.stored_bytes, 3 * mib);
    write_file(source_ / "copy", random_bytes(1, 3 * mib));
    auto const copies = bench();
    EXPECT_EQ(copies.sample.bytes, 6 * mib);
    EXPECT_EQ(copies.sample.unique_bytes, 3 * mib);
    EXPECT_LT(copies.first.stored_bytes, 4 * mib);
    std::filesystem::remove(source_ / "copy");
    std::filesystem::remove(source_ / "noise");
    write_file(source_ / "text", compressible_text(1, 3 * mib));
    auto const text = bench();
    EXPECT_LT(text.sample.stored_bytes, text.sample.unique_bytes / 2);
}

TEST_F(Bench, MeasuresEachStage) {
    write_file(source_ / "file", random_bytes(1, mib));
    auto const report = bench();
    std::vector<std::string> names;
    for (auto const& stage : report.stages) {
        names.push_back(stage.stage);
        EXPECT_GT(stage.one_thread, 0) << stage.stage;
        EXPECT_GT(stage.all_threads, 0) << stage.stage;
    }
    std::vector<std::string> const expected{"read", "chunk",    "identify", "compress",
                                            "seal", "snapshot", "restore"};
    EXPECT_EQ(names, expected);
    EXPECT_FALSE(report.write_speed);
}

TEST_F(Bench, MeasuresWritingAndLeavesNothing) {
    TempFolder const store;
    Progress progress;
    EXPECT_GT(measure_writing(store.path(), progress), 0);
    EXPECT_TRUE(std::filesystem::is_empty(store.path()));
    EXPECT_THROW(measure_writing(store / "missing", progress), SourceError);
}

TEST_F(Bench, SaysWhatIsMissing) {
    EXPECT_THROW(bench(), SourceError);  // no contents
    BenchRequest request;
    request.paths = {source_ / "missing"};
    Progress progress;
    EXPECT_THROW(bench_paths(request, progress), SourceError);
}

TEST_F(Bench, StopsWhenAsked) {
    write_file(source_ / "file", random_bytes(1, 1000));
    BenchRequest request;
    request.paths = {source_.path()};
    Progress progress;
    progress.stop = true;
    EXPECT_THROW(bench_paths(request, progress), RepositoryError);
}

std::uint64_t bytes_of(std::vector<Piece> const& pieces) {
    return std::accumulate(pieces.begin(), pieces.end(), std::uint64_t{0},
                           [](std::uint64_t sum, Piece const& piece) { return sum + piece.size; });
}

TEST(PieceSampler, TakesAllThatFits) {
    PieceSampler sampler(20 * mib);
    sampler.offer("b", 9 * mib);
    sampler.offer("a", 1);
    sampler.offer("empty", 0);
    EXPECT_FALSE(sampler.has_left_out());
    auto const pieces = sampler.take();
    ASSERT_EQ(pieces.size(), 4U);
    EXPECT_EQ(pieces[0].path, "a");
    EXPECT_EQ(pieces[3].offset, 8 * mib);
    EXPECT_EQ(pieces[3].size, mib);
    EXPECT_EQ(bytes_of(pieces), 9 * mib + 1);
}

// A byte of a small file is as likely to be taken as one of a large file.
TEST(PieceSampler, TakesBytesOfAllSizesAlike) {
    PieceSampler sampler(100 * mib);
    for (int i = 0; i < 250; ++i) sampler.offer("large" + std::to_string(i), 4 * mib);
    for (int i = 0; i < 16'000; ++i) sampler.offer("small" + std::to_string(i), mib / 16);
    EXPECT_TRUE(sampler.has_left_out());
    auto const pieces = sampler.take();
    std::uint64_t const all = bytes_of(pieces);
    std::uint64_t small = 0;
    for (auto const& piece : pieces) small += piece.path[0] == 's' ? piece.size : 0;
    EXPECT_LE(all, 100 * mib);
    EXPECT_GT(all, 90 * mib);
    EXPECT_GT(small, all * 3 / 10);
    EXPECT_LT(small, all * 7 / 10);
}

TEST(PieceSampler, TakesTheSameAgain) {
    auto const taken = [] {
        PieceSampler sampler(mib);
        for (int i = 0; i < 100; ++i) sampler.offer("file" + std::to_string(i), mib / 4);
        std::vector<std::string> paths;
        for (auto const& piece : sampler.take()) paths.push_back(piece.path);
        return paths;
    };
    EXPECT_EQ(taken(), taken());
    EXPECT_EQ(taken().size(), 4U);
}

// A file that is larger than the sample may be.
TEST(PieceSampler, TakesAtLeastOnePiece) {
    PieceSampler sampler(1);
    sampler.offer("file", 100 * mib);
    EXPECT_EQ(sampler.take().size(), 1U);
}

TEST(ThreadsRunJobs, RunsEachOnce) {
    std::vector<int> runs(1000);
    run_jobs(runs.size(), 3, [&](std::size_t i) { ++runs[i]; });
    EXPECT_EQ(runs, std::vector<int>(1000, 1));
    run_jobs(0, 3, [](std::size_t) { FAIL(); });
}

TEST(ThreadsRunJobs, TellsWhatAJobThrows) {
    EXPECT_THROW(run_jobs(100, 2,
                          [](std::size_t i) {
                              if (i == 50) throw SourceError("x", "x");
                          }),
                 SourceError);
}

}  // namespace
}  // namespace coffre
