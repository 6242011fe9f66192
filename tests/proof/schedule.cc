#include "schedule.h"

#include <sodium.h>

#include <array>
#include <thread>

namespace coffre::proof {

namespace {

std::mutex random_mutex;
std::mt19937_64 random_source;

std::uint32_t seeded_word() {
    std::lock_guard const lock(random_mutex);
    return static_cast<std::uint32_t>(random_source());
}

void seeded_bytes(void* const into, std::size_t size) {
    std::lock_guard const lock(random_mutex);
    for (auto& byte : std::span(static_cast<unsigned char*>(into), size)) {
        byte = static_cast<unsigned char>(random_source());
    }
}

randombytes_implementation seeded{
    [] { return "seeded"; }, seeded_word, nullptr, nullptr, seeded_bytes, nullptr};

}  // namespace

void Schedule::run(std::vector<std::function<void()>> const& actions) {
    for (Machine machine = 0; machine < actions.size(); ++machine) alive_.insert(machine);
    changed_ = std::vector<std::condition_variable>(actions.size());
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

void Schedule::pass(Machine machine, bool is_step) {
    std::unique_lock lock(mutex_);
    if (calls_left_ == 0 || (is_step && pick(random_, 4) == 0)) choose_next();
    wait_for_turn(lock, machine);
    if (calls_left_ > 0) --calls_left_;
}

void Schedule::rest(Machine machine) {
    std::unique_lock lock(mutex_);
    choose_next();
    wait_for_turn(lock, machine);
}

void Schedule::wait_for_turn(std::unique_lock<std::mutex>& lock, Machine machine) {
    changed_[machine].wait(lock, [&] { return turn_ == machine; });
}

void Schedule::leave(Machine machine) {
    std::lock_guard const lock(mutex_);
    alive_.erase(machine);
    if (!alive_.empty()) choose_next();
}

// Now a few calls, now as many as a snapshot or a whole collection makes: a race needs the one or
// the other.
void Schedule::choose_next() {
    turn_ = *std::next(alive_.begin(), static_cast<std::ptrdiff_t>(pick(random_, alive_.size())));
    static constexpr std::array<std::size_t, 3> strides{6, 60, 300};
    calls_left_ = 1 + pick(random_, strides.at(pick(random_, strides.size())));
    changed_[turn_].notify_all();
}

SeededRandomness::SeededRandomness(std::uint64_t step) {
    if (::sodium_init() < 0)
        throw std::runtime_error("libsodium cannot be used");  // it draws, once
    random_source = random_of(step);
    ::randombytes_set_implementation(&seeded);
}

SeededRandomness::~SeededRandomness() {
    ::randombytes_set_implementation(&randombytes_sysrandom_implementation);
}

}  // namespace coffre::proof
