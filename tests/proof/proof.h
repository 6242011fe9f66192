// What the fault suite is written in: how long it runs, the seed that replays it, and cases by the
// thousand that fail with one message.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <concepts>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "../unit/engine_test_repo.h"
#include "../unit/sanitized.h"

namespace coffre::proof {

using namespace test;

using Objects = std::map<std::string, Bytes>;
using Names = std::vector<std::string>;

// A short run takes one case of this many more where a sanitizer slows each down.
inline constexpr std::size_t thinning = is_sanitized ? 4 : 1;

// COFFRE_PROOF_LONG=1: all cases instead of a sample.
bool is_long();
// COFFRE_PROOF_SEED: another sample of the random ones.
std::uint64_t seed();
// Its own for each step, so that a step can be replayed without those before it.
std::mt19937_64 random_of(std::uint64_t step);
// Even, from 0 to `below` - 1.
std::size_t pick(std::mt19937_64& random, std::size_t below);

// Counts cases, keeps the first failures, and prints one line at its end: "power cut: 20000 states,
// 0 failed".
class Cases {
public:
    Cases(std::string test, std::string unit) : test_(std::move(test)), unit_(std::move(unit)) {}
    Cases(Cases const&) = delete;
    Cases& operator=(Cases const&) = delete;
    ~Cases();

    // One case; what it throws is a failure of it.
    template <std::invocable Action>
    void run(std::string const& label, Action const& action) {
        ++count_;
        label_ = label;
        try {
            action();
        } catch (std::exception const& error) {
            fail(std::string("threw: ") + error.what());
        }
    }
    // Of the case that runs.
    void fail(std::string const& message);
    void expect(bool ok, std::string const& message) {
        if (!ok) fail(message);
    }
    // Something worth a place in the last line.
    void add(std::string const& what, std::uint64_t count = 1) { others_[what] += count; }
    std::uint64_t count() const { return count_; }
    std::uint64_t failed() const { return failed_; }

private:
    std::string test_;
    std::string unit_;
    std::string label_;
    std::uint64_t count_ = 0;
    std::uint64_t failed_ = 0;
    Names failures_;  // the first of them
    std::map<std::string, std::uint64_t> others_;
};

// The whole tree as tar, for every snapshot that is listed.
std::map<std::string, std::string> all_tars(Repository& repository);
// Saves the paths on one thread.
SnapshotResult save(Repository& repository, std::vector<std::string> paths);
CheckReport check(Repository& repository, CheckDepth depth = CheckDepth::read_data);
// The messages in one line.
std::string joined(Names const& texts);

}  // namespace coffre::proof
