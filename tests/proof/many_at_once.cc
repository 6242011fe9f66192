// Crowds of machines on one store, each stopped for good at some call or not: what was acknowledged
// and not forgotten stays, whole, and nobody ever meets damage. Each call of the store is a point
// where another machine may go ahead.
#include <sched.h>

#include <cstdlib>
#include <thread>

#include "crowd.h"
#include "engine/repository/names.h"
#include "engine/repository/pack_builder.h"
#include "engine/repository/packer.h"
#include "schedule.h"

namespace coffre::proof {
namespace {

// In parts that may run beside each other.
constexpr std::uint64_t parts = 4;

struct Crowds {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    std::uint64_t stride = 1;
};

// COFFRE_PROOF_CROWDS=17-25: these alone, one after the other, up to the first that fails.
std::optional<Crowds> chosen_crowds() {
    char const* const text = std::getenv("COFFRE_PROOF_CROWDS");
    if (text == nullptr) return std::nullopt;
    char* dash = nullptr;
    auto const first = std::strtoull(text, &dash, 10);
    auto const last = *dash == '-' ? std::strtoull(dash + 1, nullptr, 10) : first;
    return Crowds{first, last + 1, 1};
}

Crowds crowds_of(std::uint64_t part) {
    std::uint64_t const all = is_long() ? 100'000 : 4'000 / (thinning * thinning);
    if (auto const chosen = chosen_crowds()) return part == 0 ? *chosen : Crowds{};
    return {part, all, parts};
}

// One machine goes on at a time: that costs a fifth less on one processor.
class OneProcessor {
public:
    OneProcessor() { ::sched_getaffinity(0, sizeof(all_), &all_); }
    OneProcessor(OneProcessor const&) = delete;
    OneProcessor& operator=(OneProcessor const&) = delete;
    ~OneProcessor() { ::sched_setaffinity(0, sizeof(all_), &all_); }

    // To where a new thread begins: where there is least to do.
    void choose() {
        ::sched_setaffinity(0, sizeof(all_), &all_);
        int found = -1;
        std::jthread([&] { found = ::sched_getcpu(); }).join();
        if (found < 0) return;
        cpu_set_t chosen{};
        CPU_SET(static_cast<std::size_t>(found), &chosen);
        ::sched_setaffinity(0, sizeof(chosen), &chosen);
    }

private:
    cpu_set_t all_{};
};

class ManyAtOnce : public testing::TestWithParam<std::uint64_t> {};
INSTANTIATE_TEST_SUITE_P(Part, ManyAtOnce, testing::Range(std::uint64_t{0}, parts));

TEST_P(ManyAtOnce, LoseNothing) {
    Cases cases("many at once", "crowds");
    OneProcessor processor;
    auto const [first, end, stride] = crowds_of(GetParam());
    for (std::uint64_t step = first; step < end; step += stride) {
        processor.choose();
        cases.run("crowd " + std::to_string(step), [&] { run_crowd(step, cases); });
        if (cases.failed() > 0 && chosen_crowds()) return;
    }
}

// Empty when both runs called the same.
std::string difference(Names const& first, Names const& again) {
    if (first == again) return "";
    auto const [a, b] = std::mismatch(first.begin(), first.end(), again.begin(), again.end());
    return "call " + std::to_string(a - first.begin()) + " of " + std::to_string(first.size()) +
           " was " + (a == first.end() ? "the end" : *a) + ", then " +
           (b == again.end() ? "the end" : *b);
}

TEST(ManyAtOnceAgain, AreReplayedCallByCall) {
    Cases cases("many at once, again", "crowds");
    for (std::uint64_t step = 0; step < 20 / thinning; ++step) {
        cases.run("crowd " + std::to_string(step), [&] {
            auto const first = run_crowd(step, cases);
            auto const again = run_crowd(step, cases);
            auto const found = difference(first, again);
            cases.expect(found.empty(), found);
        });
    }
}

std::string name_of_pack(Repository& repository, SessionKeys const& keys, std::uint32_t size) {
    OpenPack pack = begin_pack(PackKind::meta, SessionId{}, keys.wrapped_meta, Pages(4096));
    BlockRow row;
    row.stored_size = size;
    row.plain_size = size;
    row.chunks = {{ChunkId{}, 0, size}};
    place_block(pack, std::move(row));
    return finish_pack(repository.keys(), std::move(pack)).name;
}

// Trees are of other sizes each time, for the times and inodes in them; so is the padding.
TEST(ManyAtOnceAgain, NamesDoNotRestOnSizes) {
    Cases cases("many at once, names", "packs");
    TestRepo repo{Mode::encrypted};
    SessionKeys const keys(repo->keys());
    constexpr std::uint32_t sizes = 600;
    Names drawn;
    {
        SeededRandomness const randomness(0);
        while (drawn.size() < sizes) drawn.push_back(names::pack(random_id<PackId>()));
    }
    SeededRandomness const randomness(0);
    for (std::uint32_t size = 1; size <= sizes; ++size) {
        cases.run("a block of " + std::to_string(size), [&] {
            cases.expect(name_of_pack(*repo, keys, size) == drawn[size - 1], "another name");
        });
    }
}

}  // namespace
}  // namespace coffre::proof
