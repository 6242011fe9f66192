// Two at once make a repository in one store: one of them gets it, whatever their calls' order.
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

class Maker {
public:
    explicit Maker(MemoryBackend& store) : store_(store) {}

    // Runs to the end; before its `call`-th call it does `action`, once.
    void run(std::uint64_t call, std::function<void()> action) {
        call_ = call;
        action_ = std::move(action);
        message_ = message_of([&] { init_repository(observed_, {}, credentials(), options()); });
    }
    // What it does from now on fails.
    void kill() {
        is_killed_ = true;
        fail_if_killed();
    }
    bool has_reached_it() const { return calls_ >= call_; }
    std::string const& message() const { return message_; }
    Credentials credentials() const { return {{}, folder_ / "key"}; }
    OpenOptions options() const { return {folder_ / "cache", false}; }

private:
    void observe() {
        fail_if_killed();
        if (++calls_ == call_) action_();
    }
    void fail_if_killed() const {
        if (is_killed_) throw RepositoryError(RepositoryFailure::failed, "killed");
    }

    MemoryBackend& store_;
    TempFolder folder_;
    std::uint64_t call_ = 0;
    std::uint64_t calls_ = 0;
    bool is_killed_ = false;
    std::function<void()> action_;
    std::string message_;
    std::shared_ptr<Backend> observed_ =
        std::make_shared<ObservedBackend>(store_, [this](Verb, std::string const&) { observe(); });
};

enum class Second { goes_on, is_killed };

// The first runs to its call `a`, the second to its call `b`, then the first to its end. Then the
// second goes on, unless it was killed.
class Race {
public:
    Race(std::uint64_t a, std::uint64_t b, Second then) : then_(then) {
        first.run(a, [&] { start_second(b); });
        first_is_done_.set_value();
        if (thread_.joinable()) thread_.join();
    }
    bool opens(Maker const& maker) const {
        return message_of([&] { open_repository(store, maker.credentials(), maker.options()); })
            .empty();
    }

    std::shared_ptr<MemoryBackend> store = std::make_shared<MemoryBackend>();
    Maker first{*store};
    Maker second{*store};

private:
    // Returns when it waits at its call `b`, or has ended before.
    void start_second(std::uint64_t b) {
        thread_ = std::jthread([this, b] {
            second.run(b, [&] {
                second_waits_.set_value();
                if (then_ == Second::is_killed) second.kill();
                first_is_done_.get_future().wait();
            });
            if (!second.has_reached_it()) second_waits_.set_value();
        });
        second_waits_.get_future().wait();
    }

    Second const then_;
    std::promise<void> first_is_done_;
    std::promise<void> second_waits_;
    std::jthread thread_;
};

void expect_one_repository(Race const& race) {
    bool const is_firsts = race.first.message().empty();
    Maker const& winner = is_firsts ? race.first : race.second;
    Maker const& loser = is_firsts ? race.second : race.first;
    EXPECT_EQ(winner.message(), "");
    EXPECT_EQ(loser.message(), "there is a repository already");
    auto const repository = open_repository(race.store, winner.credentials(), winner.options());
    Progress progress;
    auto const report = check_repository(*repository, CheckDepth::read_data, 1, progress);
    EXPECT_EQ(report.errors, std::vector<std::string>{});
    EXPECT_EQ(race.store->list("keys/").size(), 1U);
}

constexpr std::uint64_t call_limit = 100;  // more than an init makes

// Every way in which two can meet.
void race_everywhere(Second then, std::function<void(Race const&)> const& examine) {
    for (std::uint64_t a = 1; a < call_limit; ++a) {
        for (std::uint64_t b = 1; b < call_limit; ++b) {
            SCOPED_TRACE("calls " + std::to_string(a) + " and " + std::to_string(b));
            Race const race(a, b, then);
            if (!race.first.has_reached_it()) return;
            examine(race);
            if (testing::Test::HasFailure()) return;
            if (!race.second.has_reached_it()) break;
        }
    }
    FAIL() << "never ends";
}

TEST(TwoInits, AtOnceMakeOneRepository) {
    race_everywhere(Second::goes_on, expect_one_repository);
}

TEST(TwoInits, OfWhichOneIsKilledMakeOneThatOpens) {
    race_everywhere(Second::is_killed, [](Race const& race) {
        EXPECT_EQ(race.first.message().empty(), race.opens(race.first));
        EXPECT_TRUE(race.opens(race.first) || race.opens(race.second));
    });
}

}  // namespace
}  // namespace coffre
