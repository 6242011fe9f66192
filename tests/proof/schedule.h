// Machines on one store, of which one goes on at a time: a seed says which, and at which calls of
// the store another one does. The same seed is the same interleaving, call by call.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <set>

#include "proof.h"

namespace coffre::proof {

// What a call is to the protocol. A decision is what others go by: just before it they do the most
// harm, since what it rests on was looked at earlier.
enum class Weight { call, step, decision };

class Schedule {
public:
    using Machine = std::size_t;

    explicit Schedule(std::uint64_t step);

    // Runs them all to their ends, each on a thread of its own: `actions[m]` is what machine m
    // does.
    void run(std::vector<std::function<void()>> const& actions);
    // A point where others may go ahead, more often so the more it matters. The machine's other
    // threads must not come here meanwhile.
    void pass(Machine machine, Weight weight);
    // Lets another go ahead, perhaps: between two runs of a machine.
    void rest(Machine machine);
    // Even, from 0 to `below` - 1. For the machine that goes on.
    std::size_t draw(std::size_t below) { return pick(random_, below); }

private:
    // Each finds other races. Strides: anyone, for some calls. Duels: a run goes on to its end
    // unless it is cut off, and then often the one that was cut off before goes on. Priorities:
    // the machine of the highest goes on; each run has its own, and lowers it at some moment (after
    // Burckhardt et al., A Randomized Scheduler with Probabilistic Guarantees of Finding Bugs,
    // 2010). Ambushes: a run is cut off before a decision until others have ended theirs.
    enum class Manner { strides, duels, priorities, ambushes };
    struct Standing {
        std::size_t priority = 0;
        Weight lowered_at = Weight::step;  // or later
        std::size_t moments_left = 0;      // until then
    };

    Standing draw_standing(std::size_t below);
    bool is_over(Machine machine, Weight weight);
    void choose_next();
    Machine choose();
    Machine anyone();
    Machine anyone_awake();
    void wait_for_turn(std::unique_lock<std::mutex>& lock, Machine machine);
    void leave(Machine machine);

    std::mutex mutex_;
    std::vector<std::condition_variable> changed_;  // by machine: only the next one wakes
    std::mt19937_64 random_;
    Manner manner_ = Manner::strides;
    std::set<Machine> alive_;
    Machine turn_ = 0;
    std::size_t calls_left_ = 0;       // strides: of the machine whose turn it is
    Machine rival_ = 0;                // duels: whose turn it was before
    std::vector<Standing> standings_;  // priorities: by machine
    std::size_t runs_ended_ = 0;
    std::map<Machine, std::size_t> asleep_;  // ambushes: until so many runs have ended
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
