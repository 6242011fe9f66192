#include "schedule.h"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <thread>

namespace coffre::proof {

namespace {

std::mutex random_mutex;
std::uint64_t random_step = 0;
// One for each size: keys and nonces may be drawn by other threads than ids, which are what the
// order of calls rests on.
std::map<std::size_t, std::mt19937_64> random_sources;

std::mt19937_64& source_for(std::size_t size) {
    auto const [source, is_new] = random_sources.try_emplace(size);
    if (is_new) source->second.seed(random_of(random_step)() + size);
    return source->second;
}

std::uint32_t seeded_word() {
    std::lock_guard const lock(random_mutex);
    return static_cast<std::uint32_t>(source_for(sizeof(std::uint32_t))());
}

void seeded_bytes(void* const into, std::size_t size) {
    std::lock_guard const lock(random_mutex);
    auto& source = source_for(size);
    for (auto& byte : std::span(static_cast<unsigned char*>(into), size)) {
        byte = static_cast<unsigned char>(source());
    }
}

randombytes_implementation seeded{
    [] { return "seeded"; }, seeded_word, nullptr, nullptr, seeded_bytes, nullptr};

constexpr std::size_t priorities = 1000;

// Of so many moments of this kind one ends a turn.
constexpr std::size_t duels_rarity(Weight weight) {
    return weight == Weight::call ? 60 : weight == Weight::step ? 12 : 3;
}

}  // namespace

Schedule::Schedule(std::uint64_t step) : random_(random_of(step)) {
    static constexpr std::array<Manner, 5> manners{
        Manner::strides, Manner::duels, Manner::priorities, Manner::ambushes, Manner::ambushes};
    manner_ = manners.at(pick(random_, manners.size()));
}

void Schedule::run(std::vector<std::function<void()>> const& actions) {
    for (Machine machine = 0; machine < actions.size(); ++machine) alive_.insert(machine);
    changed_ = std::vector<std::condition_variable>(actions.size());
    for (Machine machine = 0; machine < actions.size(); ++machine) {
        standings_.push_back(draw_standing(priorities));
    }
    choose_next();
    std::vector<std::jthread> threads;
    for (Machine machine = 0; machine < actions.size(); ++machine) {
        threads.emplace_back([this, machine, &action = actions[machine]] {
            {
                std::unique_lock lock(mutex_);
                wait_for_turn(lock, machine);
            }
            action();
            leave(machine);
        });
    }
}

void Schedule::pass(Machine machine, Weight weight) {
    std::unique_lock lock(mutex_);
    if (is_over(machine, weight)) choose_next();
    wait_for_turn(lock, machine);
    if (calls_left_ > 0) --calls_left_;
}

void Schedule::rest(Machine machine) {
    std::unique_lock lock(mutex_);
    standings_[machine] = draw_standing(priorities);
    ++runs_ended_;
    choose_next();
    wait_for_turn(lock, machine);
}

bool Schedule::is_over(Machine machine, Weight weight) {
    switch (manner_) {
        case Manner::strides:
            if (calls_left_ == 0) return true;
            return weight != Weight::call && pick(random_, 4) == 0;
        case Manner::duels:
            return pick(random_, duels_rarity(weight)) == 0;
        case Manner::priorities: {
            Standing& standing = standings_[machine];
            if (weight < standing.lowered_at || standing.moments_left-- > 0) return false;
            standing = draw_standing(1 + standing.priority / 2);
            return true;
        }
        case Manner::ambushes:
            if (weight == Weight::call) return false;
            if (pick(random_, weight == Weight::step ? 30 : 2) > 0) return false;
            asleep_[machine] = runs_ended_ + 1 + pick(random_, 3);
            return true;
    }
    return false;
}

Schedule::Standing Schedule::draw_standing(std::size_t below) {
    bool const is_at_step = pick(random_, 3) == 0;
    return {pick(random_, below), is_at_step ? Weight::step : Weight::decision,
            pick(random_, is_at_step ? 12 : 3)};
}

void Schedule::wait_for_turn(std::unique_lock<std::mutex>& lock, Machine machine) {
    changed_[machine].wait(lock, [&] { return turn_ == machine; });
}

void Schedule::leave(Machine machine) {
    std::lock_guard const lock(mutex_);
    alive_.erase(machine);
    ++runs_ended_;
    if (!alive_.empty()) choose_next();
}

void Schedule::choose_next() {
    Machine const next = choose();
    rival_ = turn_;
    turn_ = next;
    changed_[turn_].notify_all();
}

Schedule::Machine Schedule::choose() {
    switch (manner_) {
        case Manner::strides: {
            // Now a few calls, now as many as a snapshot or a whole collection makes: a race needs
            // the one or the other.
            static constexpr std::array<std::size_t, 3> strides{6, 60, 300};
            Machine const next = anyone();
            calls_left_ = 1 + pick(random_, strides.at(pick(random_, strides.size())));
            return next;
        }
        case Manner::duels:
            return alive_.contains(rival_) && pick(random_, 2) == 0 ? rival_ : anyone();
        case Manner::priorities:
            return *std::max_element(alive_.begin(), alive_.end(), [&](Machine a, Machine b) {
                return standings_[a].priority < standings_[b].priority;
            });
        case Manner::ambushes:
            return anyone_awake();
    }
    return anyone();
}

Schedule::Machine Schedule::anyone_awake() {
    std::vector<Machine> awake;
    for (Machine const machine : alive_) {
        auto const nap = asleep_.find(machine);
        if (nap == asleep_.end() || nap->second <= runs_ended_) awake.push_back(machine);
    }
    Machine const next = awake.empty() ? anyone() : awake.at(pick(random_, awake.size()));
    asleep_.erase(next);
    return next;
}

Schedule::Machine Schedule::anyone() {
    return *std::next(alive_.begin(), static_cast<std::ptrdiff_t>(pick(random_, alive_.size())));
}

SeededRandomness::SeededRandomness(std::uint64_t step) {
    if (::sodium_init() < 0)
        throw std::runtime_error("libsodium cannot be used");  // it draws, once
    random_sources.clear();
    random_step = step;
    ::randombytes_set_implementation(&seeded);
}

SeededRandomness::~SeededRandomness() {
    ::randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

}  // namespace coffre::proof
