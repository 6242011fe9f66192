#include "engine/util/sorted_runs.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

std::vector<std::uint64_t> sorted(std::vector<std::uint64_t> const& rows, std::size_t in_memory,
                                  bool& has_spilled) {
    TempFolder const folder;
    SortedRuns<std::uint64_t> runs(folder.path(), in_memory);
    for (auto const row : rows) runs.add(row);
    std::vector<std::uint64_t> all;
    runs.each([&](std::uint64_t row) { all.push_back(row); });
    has_spilled = runs.has_spilled();
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    return all;
}

TEST(SortedRuns, SortAnyNumberOfRows) {
    std::mt19937_64 random(20261121);
    for (std::size_t const count : {0U, 1U, 2U, 99U, 100U, 101U, 1000U, 5050U}) {
        std::vector<std::uint64_t> rows(count);
        for (auto& row : rows) row = random() % 1000;  // many are equal
        auto expected = rows;
        std::sort(expected.begin(), expected.end());
        for (std::size_t const in_memory : {1U, 7U, 100U, 10'000U}) {
            bool has_spilled = false;
            EXPECT_EQ(sorted(rows, in_memory, has_spilled), expected) << count << " " << in_memory;
            EXPECT_EQ(has_spilled, count >= in_memory);
        }
    }
}

TEST(SortedRuns, SayWhereThereIsNoRoom) {
    SortedRuns<int> runs("/nowhere", 1);
    try {
        runs.add(1);
        FAIL() << "no error";
    } catch (SourceError const& error) {
        EXPECT_TRUE(contains(error.what(), "/nowhere: cannot write")) << error.what();
    }
}

}  // namespace
}  // namespace coffre
