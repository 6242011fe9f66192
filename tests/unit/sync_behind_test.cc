#include "engine/restore/sync_behind.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <stdexcept>

namespace coffre {
namespace {

TEST(ThreadsSyncBehind, WaitsForTheStep) {
    std::atomic<int> syncs{0};
    SyncBehind behind([&] { ++syncs; }, 100);
    behind.add(99);
    behind.finish();
    EXPECT_EQ(syncs, 0);
    behind.add(1);
    behind.finish();
    EXPECT_EQ(syncs, 1);
    behind.add(99);
    behind.finish();
    EXPECT_EQ(syncs, 1);
}

TEST(ThreadsSyncBehind, RunsOneAtATime) {
    std::atomic<int> syncs{0};
    std::latch begun(1);
    std::latch may_end(1);
    SyncBehind behind(
        [&] {
            if (++syncs == 1) begun.count_down();
            may_end.wait();
        },
        1);
    behind.add(1);
    begun.wait();
    behind.add(1);
    behind.add(1);
    EXPECT_EQ(syncs, 1);
    may_end.count_down();
    behind.finish();
    EXPECT_EQ(syncs, 1);
    behind.add(1);
    behind.finish();
    EXPECT_EQ(syncs, 2);
}

// The system tells a failed write once: a later sync that succeeds means nothing.
TEST(ThreadsSyncBehind, KeepsTheFirstFailure) {
    std::atomic<int> syncs{0};
    SyncBehind behind(
        [&] {
            if (++syncs == 1) throw std::runtime_error("lost");
        },
        1);
    behind.add(1);
    EXPECT_THROW(behind.finish(), std::runtime_error);
    behind.add(1);
    EXPECT_THROW(behind.finish(), std::runtime_error);
    EXPECT_EQ(syncs, 1);
}

}  // namespace
}  // namespace coffre
