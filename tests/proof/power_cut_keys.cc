// The power fails while keys are changed: those who were to open the repository still do, and
// nothing that was stored is lost.
#include <gtest/gtest.h>

#include <stdexcept>

#include "key_changes.h"
#include "power_cut_recording.h"

namespace coffre::proof {
namespace {

constexpr char const* done = "the keys were changed";

enum class Keys { old, old_and_spare };

// A repository of these keys and one snapshot, and the changes of keys that come after that.
class KeyRecording {
public:
    explicit KeyRecording(Keys keys) {
        life_.init();
        life_.change_source();
        life_.snapshot_on(0);
        if (keys == Keys::old_and_spare) secrets_.add_spare(*life_.open_on(0, by(Holder::old)));
        life_.change_source();
        begin();
    }
    // The power is not cut before this moment.
    void begin() { begin_ = life_.events(); }

    void run(unsigned machine, KeyChange const& change, Holder holder = Holder::old) {
        change.run(*life_.open_on(machine, by(holder)), secrets_);
    }
    void finish(Holder last) { life_.finish(by(last)); }

    Credentials by(Holder holder) const { return secrets_.of(holder); }
    Secrets const& secrets() const { return secrets_; }
    Recording& life() { return life_; }
    // A moment from begin() on; each has its turn.
    std::size_t event_of(std::uint64_t step) const {
        return begin_ + step % (life_.log().size() + 1 - begin_);
    }

private:
    Recording life_{Mode::encrypted};
    Secrets secrets_{life_.key_folder()};
    std::size_t begin_ = 0;
};

// A repository as a cut left it, and a machine that remembers it as it was.
class Left {
public:
    Left(DiskState const& state, std::shared_ptr<FolderCopy const> const& cache) {
        store_->replace_all(state.objects);
        if (cache) write_copy(*cache, cache_.path());
    }
    OpenWith open() const {
        return [this](Credentials const& by) {
            return open_repository(store_, by, {cache_.path(), false});
        };
    }

private:
    std::shared_ptr<MemoryBackend> store_ = std::make_shared<MemoryBackend>();
    TempFolder cache_;
};

// Cuts at one moment after the other; `examine` gets each state that differs from the others.
template <class Examine>
void cut(KeyRecording& recording, std::uint64_t states, Cases& cases, Examine const& examine) {
    std::set<std::pair<std::string, FolderCopy const*>> seen;
    for (std::uint64_t step = 0; step < states; ++step) {
        auto random = random_of(step);
        std::size_t const events = recording.event_of(step);
        auto const cache = static_cast<Cache>(pick(random, 3));
        DiskState const state = cut_power(recording.life().log(), events, Tear::none, random);
        cases.run("step " + std::to_string(step) + ", after event " + std::to_string(events), [&] {
            auto const copy = recording.life().cache(cache, events);
            if (!seen.emplace(state.key(), copy.get()).second) return;
            cases.add("different");
            examine(state, Left(state, copy));
        });
    }
}

class PowerCutKeys : public testing::TestWithParam<KeyChange> {};

std::string name_of(testing::TestParamInfo<KeyChange> const& info) {
    std::string name;
    for (char const c : info.param.name) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) name += c;
    }
    return name;
}

INSTANTIATE_TEST_SUITE_P(Changes, PowerCutKeys, testing::ValuesIn(key_changes()), name_of);

TEST_P(PowerCutKeys, LeavesThoseWhoWereToOpenIt) {
    KeyChange const& change = GetParam();
    Cases cases("power cut, key " + change.name, "states");
    KeyRecording recording(Keys::old_and_spare);
    recording.run(0, change);
    recording.life().acknowledge(done);
    recording.finish(*change.steps.back().begin());
    Aftermath aftermath(recording.life(), cases);
    cut(recording, is_long() ? 20'000 : 400, cases, [&](DiskState const& state, Left const& left) {
        auto const how = state.acknowledged.contains(done) ? Change::is_done : Change::may_be_done;
        auto const opens =
            recording.by(expect_promised(change, how, left.open(), recording.secrets(), cases));
        aftermath.expect_goes_on(*left.open()(opens), state);
        expect_keys_go_on(left.open(), opens, recording.secrets(), cases);
    });
}

using Work = std::function<void(KeyRecording&, unsigned machine)>;

Work changing(std::string const& change, Holder holder = Holder::old) {
    return [&change = key_change(change), holder](KeyRecording& recording, unsigned machine) {
        recording.run(machine, change, holder);
    };
}

// More than once, for the power to be cut between what is remembered and what comes then.
Work opening(Holder holder) {
    return [holder](KeyRecording& recording, unsigned machine) {
        for (int i = 0; i < 4; ++i) recording.life().open_on(machine, recording.by(holder));
    };
}

Work saving_as(Holder holder) {
    return [holder](KeyRecording& recording, unsigned machine) {
        auto const repository = recording.life().open_on(machine, recording.by(holder));
        auto const taken = save(*repository, {recording.life().source()});
        recording.life().acknowledge(taken.id->hex());
    };
}

// What another machine does after an event of the first one's work.
struct Meanwhile {
    std::string name;
    Keys keys;
    Work first;
    Work other;
    std::size_t stride = 1;  // of a short run, from event to event
};

std::vector<Meanwhile> all_meanwhile() {
    constexpr auto both = Keys::old_and_spare;
    return {
        // The new secret is used by somebody as soon as its slot is there.
        {"ANewSecretIsSeen", both, changing("rekey"), opening(Holder::fresh)},
        {"ANewSecretIsUsed", both, changing("rekey"), saving_as(Holder::fresh), 2},
        {"TheOldSecretIsUsed", both, changing("rekey"), saving_as(Holder::old), 3},
        {"ANewSecretIsDrawn", both, saving_as(Holder::old), changing("rekey"), 6},
        // The only key whose slot is known to be durable goes.
        {"TheOtherKeyGoes", Keys::old, changing("add"), changing("remove --force")},
        {"TheOtherKeyIsReplaced", both, changing("remove --force"),
         changing("passwd", Holder::spare)},
    };
}

class PowerCutTwoKeys : public testing::TestWithParam<Meanwhile> {
protected:
    // One of the two may be refused: the other was faster.
    static void attempt(Work const& work, KeyRecording& recording, unsigned machine) {
        try {
            work(recording, machine);
        } catch (RepositoryError const&) {
        }
    }
    // False when the first one's work has fewer events.
    static bool interrupt(KeyRecording& recording, std::size_t event) {
        return recording.life().interrupt(
            event, [&] { attempt(GetParam().first, recording, 0); },
            [&] {
                recording.begin();
                attempt(GetParam().other, recording, 1);
            });
    }
    // As those who can open it now found it at the end.
    static void finish(KeyRecording& recording) {
        OpenWith const open = [&](Credentials const& by) {
            return recording.life().open_on(0, by);
        };
        auto const last = who_can_open(open, recording.secrets());
        if (last.empty()) throw std::runtime_error("nobody can open it, and no power was cut");
        recording.finish(*last.begin());
    }
    static void cut_power_of(KeyRecording& recording, Cases& cases) {
        Aftermath aftermath(recording.life(), cases);
        std::uint64_t different = 0;
        cut(recording, is_long() ? 2'000 : 80, cases,
            [&](DiskState const& state, Left const& left) {
                auto const found = who_can_open(left.open(), recording.secrets());
                if (found.empty()) return cases.fail("nobody can open the repository any more");
                if (!is_long() && ++different % whole_look_every != 0) return;
                aftermath.expect_goes_on(*left.open()(recording.by(*found.begin())), state);
            });
    }

    static constexpr std::uint64_t whole_look_every = 6;
    static constexpr std::size_t most_events = 80;  // more than any of the first ones has
};

INSTANTIATE_TEST_SUITE_P(Others, PowerCutTwoKeys, testing::ValuesIn(all_meanwhile()),
                         [](auto const& meanwhile) { return meanwhile.param.name; });

TEST_P(PowerCutTwoKeys, NeverIsNobodyLeft) {
    Cases cases("power cut, two change keys, " + GetParam().name, "states");
    std::size_t event = 1;
    for (bool interrupted = true; interrupted; event += is_long() ? 1 : GetParam().stride) {
        ASSERT_LT(event, most_events);
        KeyRecording recording(GetParam().keys);
        interrupted = interrupt(recording, event);
        finish(recording);
        cut_power_of(recording, cases);
    }
    EXPECT_GT(event, 4U);
}

}  // namespace
}  // namespace coffre::proof
