// The system refuses a step of a key change on a disk: that is told, and those who opened the
// repository do, or those who were to.
#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "failing_system.h"
#include "key_changes.h"

namespace coffre::proof {
namespace {

struct Refusal {
    std::string name;
    SystemCall call;
    int error;
};

class FailingKeys : public testing::TestWithParam<Refusal> {
protected:
    void SetUp() override {
        write_file(source_ / "a file", "its content");
        init_repository(work_ / "store", {}, secrets_.of(Holder::old), options());
        auto const repository = open(secrets_.of(Holder::old));
        save(*repository, {source_.path()});
        secrets_.add_spare(*repository);
        tars_ = all_tars(*repository);
        for (auto const* part : changing_parts) copy(work_ / part, base_ / part);
    }
    // Changes of keys touch nothing else.
    void put_back() const {
        for (auto const* part : changing_parts) {
            std::filesystem::remove_all(work_ / part);
            copy(base_ / part, work_ / part);
        }
    }
    OpenOptions options() {
        OpenOptions options{work_ / "cache", false};
        options.warn = [this](std::string const& message) { warning_ = message; };
        return options;
    }
    std::shared_ptr<Repository> open(Credentials const& by) {
        return open_repository(work_ / "store", by, options());
    }
    static void copy(std::string const& from, std::string const& to) {
        std::filesystem::create_directories(to);
        std::filesystem::copy(from, to, std::filesystem::copy_options::recursive);
    }

    // What the change says of its `count`-th call's failure; nothing when it says that it is done.
    std::optional<std::string> refuse(KeyChange const& change, int count) {
        auto const repository = open(secrets_.of(Holder::old));
        // So that there is one to be made.
        std::filesystem::remove(*secrets_.of(Holder::fresh).key_file);
        warning_.reset();
        fail_system_call(GetParam().call, count, GetParam().error);
        try {
            change.run(*repository, secrets_);
            return std::nullopt;
        } catch (std::runtime_error const& error) {
            return error.what();
        }
    }
    void look(KeyChange const& change, bool has_failed, std::optional<std::string> const& message,
              Cases& cases) {
        // What a change is done without is warned of.
        auto const told = message ? message : warning_;
        cases.expect(told.has_value() == has_failed, "a failed call was passed over in silence");
        cases.expect(!told || says_all(*told), told.value_or(""));
        OpenWith const open_with = [&](Credentials const& by) { return open(by); };
        auto const done = message ? Change::may_be_done : Change::is_done;
        auto const opens = secrets_.of(expect_promised(change, done, open_with, secrets_, cases));
        cases.expect(all_tars(*open(opens)) == tars_, "a snapshot is lost");
        bool const is_sound = !is_long() || check(*open(opens)).clean();
        cases.expect(is_sound, "check finds damage");
        expect_keys_go_on(open_with, opens, secrets_, cases);
    }
    // An object or a file, what could not be done with it, and why.
    static bool says_all(std::string const& message) {
        return contains(message, "/") && contains(message, ": cannot ") &&
               contains(message, std::strerror(GetParam().error));
    }

    static constexpr char const* changing_parts[] = {"store/keys", "cache"};
    TempFolder source_;
    TempFolder keys_;
    TempFolder work_;
    TempFolder base_;
    Secrets secrets_{keys_.path()};
    std::optional<std::string> warning_;
    std::map<std::string, std::string> tars_;
};

INSTANTIATE_TEST_SUITE_P(Refusals, FailingKeys,
                         testing::Values(Refusal{"SyncEio", SystemCall::sync, EIO},
                                         Refusal{"SyncEnospc", SystemCall::sync, ENOSPC},
                                         Refusal{"LinkEnospc", SystemCall::link, ENOSPC},
                                         Refusal{"LinkEacces", SystemCall::link, EACCES},
                                         Refusal{"UnlinkEio", SystemCall::unlink, EIO},
                                         Refusal{"UnlinkEacces", SystemCall::unlink, EACCES}),
                         [](auto const& refusal) { return refusal.param.name; });

TEST_P(FailingKeys, LeaveThoseWhoWereToOpenIt) {
    Cases cases("key changes, " + GetParam().name, "calls");
    for (auto const& change : key_changes()) {
        if (change.steps.back().contains(Holder::recovery) && !is_long()) continue;
        bool has_failed = true;
        for (int count = 1; has_failed; ++count) {
            put_back();
            auto const message = refuse(change, count);
            has_failed = stop_failing_system_calls();
            cases.run(change.name + ", call " + std::to_string(count),
                      [&] { look(change, has_failed, message, cases); });
        }
    }
}

}  // namespace
}  // namespace coffre::proof
