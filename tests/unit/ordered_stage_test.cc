#include "engine/util/ordered_stage.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>

namespace coffre {
namespace {

using Numbers = std::vector<int>;
using Stage = OrderedStage<int, int>;

Numbers first_numbers(int count) {
    Numbers numbers(static_cast<std::size_t>(count));
    std::iota(numbers.begin(), numbers.end(), 0);
    return numbers;
}

// Takes a different time for each input, without a clock.
int uneven_work(int value) {
    std::minstd_rand random(static_cast<unsigned>(value) + 1);
    for (auto i = random() % 3000; i > 0; --i) random();
    return value;
}

int fail_at_seven(int value) {
    if (value == 7) throw std::runtime_error("seven");
    return value;
}

// Pushes until the stage refuses, then finishes; the message of what it threw, or "".
template <class AnyStage>
std::string failure_of(AnyStage& stage, int count) {
    try {
        for (int i = 0; i < count; ++i) stage.push(i);
        stage.finish();
    } catch (std::exception const& error) {
        return error.what();
    }
    return "";
}

TEST(ThreadsOrderedStage, KeepsTheOrderOfTheInputs) {
    for (std::size_t const workers : {1U, 2U, 5U}) {
        Numbers results;
        Stage stage(workers, 4, uneven_work, [&](int value) { results.push_back(value); });
        for (int i = 0; i < 500; ++i) stage.push(i);
        stage.finish();
        EXPECT_EQ(results, first_numbers(500)) << workers << " workers";
    }
}

TEST(ThreadsOrderedStage, FinishWaitsForEverythingPushed) {
    std::atomic<int> passed = 0;
    Stage stage(3, 100, uneven_work, [&](int) { ++passed; });
    for (int i = 0; i < 100; ++i) stage.push(i);
    stage.finish();
    EXPECT_EQ(passed, 100);
}

TEST(ThreadsOrderedStage, FinishesWithoutInputAndMoreThanOnce) {
    Stage stage(2, 2, uneven_work, [](int) { FAIL(); });
    stage.finish();
    stage.finish();
}

std::ptrdiff_t threads_of_process() {
    std::filesystem::directory_iterator const tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
}

TEST(ThreadsOrderedStage, StartsNoThreadBeforeThereIsWork) {
    auto const before = threads_of_process();
    Stage stage(4, 4, uneven_work, [](int) {});
    EXPECT_LE(threads_of_process(), before);
    stage.finish();
}

TEST(ThreadsOrderedStage, CarriesWhatCanOnlyBeMoved) {
    using Box = std::unique_ptr<int>;
    int sum = 0;
    OrderedStage<Box, Box> stage(
        2, 2, [](Box box) { return box; }, [&](Box box) { sum += *box; });
    for (int i = 1; i <= 10; ++i) stage.push(std::make_unique<int>(i));
    stage.finish();
    EXPECT_EQ(sum, 55);
}

TEST(ThreadsOrderedStage, RunsItsSinkOnOneThread) {
    std::vector<std::thread::id> threads;
    Stage stage(4, 4, uneven_work, [&](int) { threads.push_back(std::this_thread::get_id()); });
    for (int i = 0; i < 200; ++i) stage.push(i);
    stage.finish();
    EXPECT_EQ(std::count(threads.begin(), threads.end(), threads.front()), 200);
}

TEST(ThreadsOrderedStage, HoldsNoMoreThanItsBounds) {
    constexpr int bound = 3;
    constexpr int workers = 2;
    std::atomic<int> in_flight = 0;
    std::atomic<int> most = 0;
    Stage stage(
        workers, bound, [](int value) { return value; }, [&](int) { --in_flight; });
    for (int i = 0; i < 1000; ++i) {
        most = std::max(most.load(), ++in_flight);
        stage.push(i);
    }
    stage.finish();
    EXPECT_LE(most, bound + 2);  // queued, one at the sink, one being pushed
}

TEST(ThreadsOrderedStage, AFailureInWorkReachesTheProducer) {
    Numbers results;
    Stage stage(3, 2, fail_at_seven, [&](int value) { results.push_back(value); });
    EXPECT_EQ(failure_of(stage, 1000), "seven");
    EXPECT_EQ(results, first_numbers(7));
}

TEST(ThreadsOrderedStage, AFailureInWorkReachesFinish) {
    Stage stage(2, 100, fail_at_seven, [](int) {});
    EXPECT_EQ(failure_of(stage, 8), "seven");
}

TEST(ThreadsOrderedStage, BeginsNothingBehindAFailure) {
    std::promise<void> all_are_queued;
    auto const queued = all_are_queued.get_future().share();
    std::atomic<int> begun = 0;
    Stage stage(
        1, 100,
        [&begun, queued](int value) {
            queued.wait();
            ++begun;
            throw std::runtime_error("the first");
            return value;
        },
        [](int) {});
    for (int i = 0; i < 50; ++i) stage.push(i);
    all_are_queued.set_value();
    EXPECT_THROW(stage.finish(), std::runtime_error);
    EXPECT_EQ(begun, 1);
}

TEST(ThreadsOrderedStage, AFailureInTheSinkReachesTheProducer) {
    int passed = 0;
    Stage stage(3, 2, uneven_work, [&](int value) {
        fail_at_seven(value);
        ++passed;
    });
    EXPECT_EQ(failure_of(stage, 1000), "seven");
    EXPECT_EQ(passed, 7);
}

TEST(ThreadsOrderedStage, TheFirstFailureInOrderWins) {
    Stage stage(
        4, 8, [](int value) -> int { throw std::runtime_error(std::to_string(value)); },
        [](int) {});
    EXPECT_EQ(failure_of(stage, 100), "0");
}

TEST(ThreadsOrderedStage, ChainedStagesKeepTheOrder) {
    Numbers results;
    Stage second(2, 3, uneven_work, [&](int value) { results.push_back(value); });
    Stage first(3, 2, uneven_work, [&](int value) { second.push(value); });
    for (int i = 0; i < 300; ++i) first.push(i);
    first.finish();
    second.finish();
    EXPECT_EQ(results, first_numbers(300));
}

TEST(ThreadsOrderedStage, AFailureAtTheEndOfAChainReachesItsBeginning) {
    Stage second(2, 3, fail_at_seven, [](int) {});
    Stage first(2, 3, uneven_work, [&](int value) { second.push(value); });
    EXPECT_EQ(failure_of(first, 1000), "seven");
}

TEST(ThreadsOrderedStage, AChainIsDestroyedWhileTheProducerFails) {
    for (int round = 0; round < 50; ++round) {
        std::atomic<int> passed = 0;
        auto const snapshot = [&] {
            Stage second(2, 2, uneven_work, [&](int) { ++passed; });
            Stage first(2, 2, uneven_work, [&](int value) { second.push(value); });
            for (int i = 0; i < round; ++i) first.push(i);
            throw std::runtime_error("source");
        };
        EXPECT_THROW(snapshot(), std::runtime_error);
        EXPECT_LE(passed, round);
    }
}

TEST(ThreadsOrderedStage, IsDestroyedAfterItsOwnFailure) {
    for (int round = 0; round < 50; ++round) {
        auto const snapshot = [] {
            Stage stage(2, 2, fail_at_seven, [](int) {});
            for (int i = 0; i < 100; ++i) stage.push(i);
        };
        EXPECT_THROW(snapshot(), std::runtime_error);
    }
}

TEST(ThreadsOrderedStage, IsDestroyedUnfinished) {
    for (int round = 0; round < 50; ++round) {
        Stage stage(2, 50, uneven_work, [](int) {});
        for (int i = 0; i < round; ++i) stage.push(i);
    }
}

TEST(ThreadsBoundedQueue, GivesBackInOrderAndThenNothing) {
    BoundedQueue<int> queue(3);
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(i));
    queue.close();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.pop(), i);
    EXPECT_EQ(queue.pop(), std::nullopt);
    EXPECT_FALSE(queue.push(4));
}

TEST(ThreadsBoundedQueue, ClosingWakesWhoeverWaits) {
    BoundedQueue<int> full(1);
    BoundedQueue<int> empty(1);
    EXPECT_TRUE(full.push(1));
    std::jthread const producer([&] { EXPECT_FALSE(full.push(2)); });
    std::jthread const consumer([&] { EXPECT_EQ(empty.pop(), std::nullopt); });
    full.close();
    empty.close();
}

}  // namespace
}  // namespace coffre
