// The power fails at any moment of a repository's life, and any part of what no barrier covered is
// lost: every snapshot that was acknowledged is whole, and the next one just works.
#include <gtest/gtest.h>

#include <algorithm>

#include "power_cut_recording.h"

namespace coffre::proof {
namespace {

class PowerCut : public testing::TestWithParam<Mode> {
protected:
    // Examines this many random states of a recording, each that differs from the others once.
    static void cut(Recording& recording, std::uint64_t states, Cases& cases,
                    std::string const& what) {
        recording.finish();
        Aftermath aftermath(recording, cases);
        std::set<std::pair<std::string, FolderCopy const*>> seen;
        for (std::uint64_t step = 0; step < states; ++step) {
            auto random = random_of(step);
            std::size_t const events = pick(random, recording.log().size() + 1);
            auto const cache = static_cast<Cache>(pick(random, 3));
            DiskState const state = cut_power(recording.log(), events, Tear::none, random);
            cases.run(what + where_of(step, events, cache), [&] {
                auto const copy = recording.cache(cache, events);
                if (!seen.emplace(state.key(), copy.get()).second) return;
                cases.add("different");
                aftermath.examine(state, copy);
            });
        }
    }
    static void record_sequence(Recording& recording) {
        recording.init();
        for (unsigned i = 0; i < 3; ++i) {
            recording.change_source();
            recording.snapshot_on(0, i);
        }
    }
    static std::string where_of(std::uint64_t step, std::size_t events, Cache cache) {
        std::string text = ", step " + std::to_string(step);
        text += ", after event " + std::to_string(events);
        text += ", cache " + std::to_string(static_cast<int>(cache));
        return text;
    }
};

INSTANTIATE_TEST_SUITE_P(Modes, PowerCut, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "None" : "Encrypted";
                         });

TEST_P(PowerCut, LosesNothingOfASequence) {
    Cases cases("power cut, one writer", "states");
    Recording recording(GetParam());
    record_sequence(recording);
    cut(recording, is_long() ? 200'000 : 8'500, cases, "sequence");
}

TEST_P(PowerCut, LosesNothingOfTwoWritersAtOnce) {
    Cases cases("power cut, two writers", "states");
    constexpr std::size_t interleavings = 40;  // more than a snapshot has events
    std::uint64_t const states = is_long() ? 400'000 : 4'000 / thinning;
    std::size_t event = 1;
    for (bool interrupted = true; interrupted; ++event) {
        ASSERT_LT(event, interleavings);
        Recording recording(GetParam());
        recording.init();
        recording.change_source();
        recording.snapshot_on(0);
        recording.change_source();
        interrupted = recording.two_snapshots(event);
        cut(recording, states / interleavings, cases, "interrupted at " + std::to_string(event));
    }
    EXPECT_GT(event, 12U);
}

// The bundles that the first machine's index knows after that many events.
std::set<std::string> indexed_bundles(Recording const& recording, std::size_t events) {
    std::string index;
    for (auto const& [path, content] : *recording.cache(Cache::first_machine, events)) {
        if (path.ends_with("data.mdb")) index = content;
    }
    std::set<std::string> known;
    for (auto const& event : recording.log()) {
        if (event.kind != DiskEvent::Kind::put || !event.name.starts_with("bundles/")) continue;
        auto const id = *BundleId::parse(last_component(event.name));
        if (contains(index, to_text(id.bytes))) known.insert(event.name);
    }
    return known;
}

// Another process of this machine relies on a row of the index as soon as it is there.
TEST_P(PowerCut, TheIndexKnowsOfNoBundleThatCanBeLost) {
    Cases cases("power cut, rows of the index", "events");
    Recording recording(GetParam());
    record_sequence(recording);
    recording.finish();
    for (std::size_t events = 1; events <= recording.log().size(); ++events) {
        cases.run("after event " + std::to_string(events), [&] {
            auto const certain = certain_objects(recording.log(), events);
            for (auto const& name : indexed_bundles(recording, events)) {
                cases.add("rows");
                cases.expect(certain.contains(name), name + " is known too early");
            }
        });
    }
    EXPECT_EQ(indexed_bundles(recording, recording.log().size()).size(), 3U);
}

// A disk that leaves half an object under its name breaks a store's promise. What is torn is named,
// and nothing else is hurt: without the torn objects all is as after any other cut.
TEST_P(PowerCut, OfADiskThatTearsIsNoticed) {
    Cases cases("power cut, torn objects", "states");
    Recording recording(GetParam());
    record_sequence(recording);
    recording.finish();
    Aftermath aftermath(recording, cases);
    for (std::uint64_t step = 0; step < (is_long() ? 200'000U : 4'000U / thinning); ++step) {
        auto random = random_of(step);
        std::size_t const events = pick(random, recording.log().size() + 1);
        DiskState state = cut_power(recording.log(), events, Tear::sectors, random);
        if (state.torn.empty()) continue;
        cases.run("torn" + where_of(step, events, Cache::fresh), [&] {
            if (state.objects.contains(names::config)) {
                aftermath.expect_torn_are_named(state);
                for (auto const& name : state.torn) state.objects.erase(name);
            }
            aftermath.examine(state, nullptr);
        });
    }
    EXPECT_GT(cases.count(), 50U);
}

}  // namespace
}  // namespace coffre::proof
