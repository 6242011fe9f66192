// Machines on one store, of which one goes on at a time: a seed says which, and after how many
// calls of the store another one does. The same seed is the same interleaving, call by call.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>

#include "proof.h"

namespace coffre::proof {

class Schedule {
public:
    using Machine = std::size_t;

    explicit Schedule(std::uint64_t step) : random_(random_of(step)) {}

    // Runs them all to their ends, each on a thread of its own: `actions[m]` is what machine m
    // does.
    void run(std::vector<std::function<void()>> const& actions);
    // A point where others may go ahead, more often so before a call that is a step of the
    // protocol. The machine's other threads must not come here meanwhile.
    void pass(Machine machine, bool is_step);
    // Lets another go ahead, perhaps: between two runs of a machine.
    void rest(Machine machine);
    // Even, from 0 to `below` - 1. For the machine that goes on.
    std::size_t draw(std::size_t below) { return pick(random_, below); }

private:
    void choose_next();
    void wait_for_turn(std::unique_lock<std::mutex>& lock, Machine machine);
    void leave(Machine machine);

    std::mutex mutex_;
    std::vector<std::condition_variable> changed_;  // by machine: only the next one wakes
    std::mt19937_64 random_;
    std::set<Machine> alive_;
    Machine turn_ = 0;
    std::size_t calls_left_ = 0;  // of the machine whose turn it is
};

// While it lives, all random bytes (names, keys) are the seed's. One at a time.
class SeededRandomness {
public:
    explicit SeededRandomness(std::uint64_t step);
    SeededRandomness(SeededRandomness const&) = delete;
    SeededRandomness& operator=(SeededRandomness const&) = delete;
    ~SeededRandomness();
};

}  // namespace coffre::proof
