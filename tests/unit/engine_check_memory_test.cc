// Which packs a check reads, in which order, and what this machine remembers of it.
#include <gtest/gtest.h>

#include <set>

#include "engine/status.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

using Names = std::vector<std::string>;
using NameSet = std::set<std::string>;

class CheckMemory : public testing::Test {
protected:
    CheckMemory() {
        for (unsigned run = 0; run < 8; ++run) {
            write_file(source_ / std::to_string(run), random_bytes(run, 20'000));
            repo_.save(source_.path());
        }
        all_ = repo_.objects("packs/");
    }

    // At the time `now_s_`, by one worker: it reads in the order of the plan.
    CheckRequest read_all() {
        CheckRequest request;
        request.depth = CheckDepth::read_data;
        request.threads = 1;
        request.clock = [this] { return now_s_ += tick_s_; };
        return request;
    }
    CheckRequest read_slice(std::uint64_t number, std::uint64_t of) {
        CheckRequest request = read_all();
        request.packs = PackSlice{number, of};
        return request;
    }
    // What was read is left in `read_`, in order.
    CheckReport check(CheckRequest const& request) {
        std::mutex mutex;
        read_.clear();
        repo_.observe([&](Verb verb, std::string const& name) {
            std::lock_guard const lock(mutex);
            // Who reads a whole pack asks for its size first.
            if (verb == Verb::stat && name.starts_with("packs/")) read_.push_back(name);
        });
        Progress progress;
        auto report = check_repository(*repo_, request, progress);
        repo_.observe_nothing();
        return report;
    }
    NameSet read_by(CheckRequest const& request) {
        EXPECT_TRUE(check(request).clean());
        EXPECT_EQ(NameSet(read_.begin(), read_.end()).size(), read_.size());
        return {read_.begin(), read_.end()};
    }
    // As a check finds out that reads nothing.
    Verification known() {
        CheckRequest request;
        request.clock = [this] { return now_s_.load(); };
        return check(request).verification;
    }
    RepositoryStatus status() { return gather_status(*repo_, {{}, "", now_s_ * 1'000'000'000}); }
    std::string memory_file() { return repo_->folder() + "/checks"; }
    void damage(std::string const& pack) {
        auto objects = repo_.store().objects();
        objects[pack][objects[pack].size() / 2] ^= std::byte{1};
        repo_.store().replace_all(objects);
    }

    TempFolder source_;
    TestRepo repo_{Mode::none, {256, 1024, 4096}};
    Names all_;
    Names read_;
    std::atomic<std::int64_t> now_s_{1'000'000};
    std::int64_t tick_s_ = 0;
};

TEST_F(CheckMemory, SlicesReadEachPackOnce) {
    NameSet read;
    for (std::uint64_t number = 1; number <= 3; ++number) {
        for (auto const& name : read_by(read_slice(number, 3))) {
            EXPECT_TRUE(read.insert(name).second) << name;
        }
    }
    EXPECT_EQ(read, NameSet(all_.begin(), all_.end()));
}

TEST_F(CheckMemory, ASliceGoesByTheIdAsANumber) {
    NameSet even;
    for (auto const& name : all_) {
        if (contains("02468ace", name.substr(name.size() - 1))) even.insert(name);
    }
    EXPECT_EQ(read_by(read_slice(1, 2)), even);
}

TEST_F(CheckMemory, AShareIsRoundedUp) {
    auto request = read_all();
    request.packs = PackShare{1};
    EXPECT_EQ(read_by(request).size(), 1U);
    request.packs = PackShare{50};
    EXPECT_EQ(read_by(request).size(), (all_.size() + 1) / 2);
    request.packs = PackShare{100};
    EXPECT_EQ(read_by(request).size(), all_.size());
}

TEST_F(CheckMemory, ReadsNoMoreBytesThanAllowed) {
    auto request = read_all();
    auto const all = check(request);
    EXPECT_EQ(all.bytes_read, all.pack_bytes);
    request.packs = PackBytes{all.pack_bytes / 2};
    auto const half = check(request);
    EXPECT_LE(half.bytes_read, all.pack_bytes / 2);
    EXPECT_GT(half.bytes_read, 0U);
    request.packs = PackBytes{0};
    EXPECT_EQ(check(request).packs_read, 0U);
}

TEST_F(CheckMemory, ReadsFirstWhatWasNeverReadAndThenTheOldest) {
    auto const older = read_by(read_slice(1, 3));
    now_s_ += 100;
    auto const newer = read_by(read_slice(2, 3));
    now_s_ += 100;
    check(read_all());
    ASSERT_EQ(read_.size(), all_.size());
    auto const from_end = read_.end() - static_cast<std::ptrdiff_t>(newer.size());
    auto const before = from_end - static_cast<std::ptrdiff_t>(older.size());
    EXPECT_EQ(NameSet(from_end, read_.end()), newer);
    EXPECT_EQ(NameSet(before, from_end), older);
}

TEST_F(CheckMemory, LeavesOutWhatWasVerifiedWithinTheAge) {
    check(read_slice(1, 2));
    now_s_ += 100;
    auto request = read_all();
    request.max_age_s = 100;
    auto const rest = read_by(request);
    EXPECT_EQ(rest.size(), all_.size() - read_by(read_slice(1, 2)).size());
    EXPECT_EQ(read_by(request).size(), 0U);
    now_s_ += 101;
    EXPECT_EQ(read_by(request).size(), all_.size());
}

TEST_F(CheckMemory, WithoutTimeItReadsNothing) {
    auto request = read_all();
    request.budget_s = 0;
    auto const report = check(request);
    EXPECT_TRUE(read_.empty());
    EXPECT_EQ(report.packs_read, 0U);
    EXPECT_EQ(report.snapshots, 8U);
    EXPECT_EQ(report.verification.packs_never, all_.size());
    EXPECT_EQ(report.verification.bytes_never, report.pack_bytes);
}

TEST_F(CheckMemory, BeginsNoPackWhenTheTimeIsOver) {
    tick_s_ = 10;
    auto request = read_all();
    request.budget_s = 35;
    EXPECT_EQ(read_by(request).size(), 3U);
    EXPECT_FALSE(status().last_read_data);
}

TEST_F(CheckMemory, ShortRunsComeRoundToAllPacks) {
    tick_s_ = 10;
    auto request = read_all();
    request.budget_s = 35;
    NameSet read;
    for (std::size_t run = 0; run < all_.size() / 3; ++run) read.merge(read_by(request));
    EXPECT_EQ(read.size(), all_.size() / 3 * 3);
}

TEST_F(CheckMemory, TellsHowOldTheOldestIs) {
    EXPECT_FALSE(known().oldest_s);
    auto const begin_s = now_s_.load();
    check(read_slice(1, 2));
    now_s_ += 50;
    auto const report = check(read_slice(2, 2));
    EXPECT_EQ(report.verification.oldest_s, begin_s);
    EXPECT_EQ(report.verification.packs_never, 0U);
    EXPECT_EQ(report.verification.bytes_never, 0U);
    repo_.reopen();
    EXPECT_EQ(known().oldest_s, begin_s);
}

TEST_F(CheckMemory, ADamagedPackIsReportedAndNotVerified) {
    check(read_all());
    EXPECT_EQ(known().packs_never, 0U);
    damage(all_[3]);
    auto const report = check(read_all());
    EXPECT_TRUE(any_contains(report.errors, all_[3]));
    EXPECT_EQ(report.verification.packs_never, 1U);
    EXPECT_EQ(report.verification.bytes_never, repo_.store().stat(all_[3])->size);
    now_s_ += 10;
    check(read_all());
    EXPECT_EQ(read_.front(), all_[3]);
}

TEST_F(CheckMemory, ADamagedFileMeansThatNothingIsKnown) {
    check(read_all());
    auto const sound = read_file(memory_file());
    EXPECT_EQ(known().packs_never, 0U);
    for (std::size_t at = 0; at < sound.size(); at += 7) {
        auto damaged = sound;
        damaged[at] = static_cast<char>(damaged[at] ^ 4);
        write_file(memory_file(), damaged);
        EXPECT_EQ(known().packs_never, all_.size()) << "byte " << at;
        write_file(memory_file(), sound.substr(0, at));
        EXPECT_EQ(known().packs_never, all_.size()) << "cut off at " << at;
    }
    write_file(memory_file(), sound + "x");
    EXPECT_EQ(known().packs_never, all_.size());
    write_file(memory_file(), sound);
    EXPECT_EQ(known().packs_never, 0U);
}

TEST_F(CheckMemory, ALostFileMeansThatNothingIsKnown) {
    check(read_all());
    repo_.reopen_elsewhere();
    EXPECT_EQ(known().packs_never, all_.size());
    EXPECT_EQ(read_by(read_all()).size(), all_.size());
}

TEST_F(CheckMemory, DoesNotBelieveATimeThatLiesAhead) {
    check(read_all());
    now_s_ -= 1;
    EXPECT_EQ(known().packs_never, all_.size());
    EXPECT_FALSE(status().last_read_data);
}

TEST_F(CheckMemory, ForgetsPacksThatAreGone) {
    check(read_all());
    auto const gone = *PackId::parse(last_component(all_[0]));
    auto const bytes = to_text(ByteView(gone.bytes));
    EXPECT_TRUE(contains(read_file(memory_file()), bytes));
    repo_.store().remove(all_[0]);
    check({});
    EXPECT_FALSE(contains(read_file(memory_file()), bytes));
}

TEST_F(CheckMemory, WhatWasReadBeforeAnInterruptionCounts) {
    Progress progress;
    std::atomic<int> packs{0};
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::stat || !name.starts_with("packs/")) return;
        if (++packs == 6) progress.stop = true;
    });
    EXPECT_EQ(failure_of([&] { check_repository(*repo_, read_all(), progress); }),
              RepositoryFailure::interrupted);
    repo_.observe_nothing();
    EXPECT_FALSE(status().last_check);
    EXPECT_LE(known().packs_never, all_.size() - 5);
    EXPECT_GT(known().packs_never, 0U);
}

// Nobody has mended it meanwhile.
TEST_F(CheckMemory, DamageIsNotForgottenByACheckThatReadsLess) {
    CheckRequest structure;
    structure.clock = [this] { return ++now_s_; };
    auto const is_told = [&](CheckRequest const& request) {
        return any_contains(check(request).errors, all_[0] + ": ");
    };
    EXPECT_FALSE(is_told(structure));
    damage(all_[0]);
    EXPECT_TRUE(is_told(read_all()));
    EXPECT_TRUE(is_told(structure));
    EXPECT_GT(status().last_check->errors, 0U);
    damage(all_[0]);  // back to what it was
    EXPECT_TRUE(is_told(structure));
    EXPECT_TRUE(check(read_all()).clean());
    EXPECT_TRUE(check(structure).clean());
}

// Whoever met it: nothing is lost when the one who saw its message did not.
TEST_F(CheckMemory, DamageThatARestoreMetIsTold) {
    CheckRequest structure;
    structure.clock = [this] { return ++now_s_; };
    NameSet data;
    for (auto const& name : all_) {
        auto const header = decode_pack_header(repo_.store().get(name, 0, pack_header_size));
        if (header.kind == PackKind::data) data.insert(name);
    }
    for (auto const& name : data) damage(name);
    EXPECT_TRUE(check(structure).clean());
    TempFolder target;
    RestoreRequest request;
    request.from = repo_.find("latest");
    request.target = target.path();
    EXPECT_EQ(repo_.restore(request).damaged.size(), data.size());
    EXPECT_EQ(check(structure).errors.size(), data.size());
    EXPECT_EQ(status().verification.packs_damaged, data.size());
    for (auto const& name : data) damage(name);  // back to what it was
    EXPECT_EQ(check(structure).errors.size(), data.size());
    EXPECT_TRUE(check(read_all()).clean());
    EXPECT_EQ(status().verification.packs_damaged, 0U);
}

TEST_F(CheckMemory, DamageOfWhatIsGoneIsForgotten) {
    damage(all_[0]);
    check(read_all());
    EXPECT_EQ(noted_damaged(repo_->folder()).size(), 1U);
    repo_.store().remove(all_[0]);
    check({});
    EXPECT_EQ(noted_damaged(repo_->folder()).size(), 0U);
}

// While packs are missing, and a collection that goes on all the time could be why.
class CheckBesideCollections : public CheckMemory {
protected:
    CheckBesideCollections() { repo_.store().remove(all_[7]); }
    void collect_all_the_time(std::function<void()> const& meanwhile) {
        repo_.observe([this, meanwhile](Verb verb, std::string const& name) {
            if (verb != Verb::list || name != "keys/") return;
            repo_.append_log({LogKind::condemn, {random_id<PackId>()}, {}, {}});
            meanwhile();
        });
    }
    Progress progress_;
};

TEST_F(CheckBesideCollections, WhatIsGoneMayBeCollected) {
    collect_all_the_time([] {});
    EXPECT_EQ(failure_of([&] { check_repository(*repo_, read_all(), progress_); }),
              RepositoryFailure::failed);
}

TEST_F(CheckBesideCollections, WhatIsThereAndDamagedIsTold) {
    damage(all_[0]);
    collect_all_the_time([] {});
    auto const report = check_repository(*repo_, read_all(), progress_);
    ASSERT_EQ(report.errors.size(), 1U);
    EXPECT_TRUE(contains(report.errors[0], all_[0]));
    EXPECT_FALSE(report.warnings.empty());
}

TEST_F(CheckBesideCollections, AllAttemptsTogetherHaveItsTime) {
    auto request = read_all();
    request.budget_s = 100;
    collect_all_the_time([&, attempt = 0]() mutable {
        if (++attempt == 2) now_s_ += 1000;
    });
    EXPECT_EQ(failure_of([&] { check_repository(*repo_, request, progress_); }),
              RepositoryFailure::failed);
    std::uint64_t once = 0;
    for (auto const& object : repo_.store().list("packs/")) once += object.size;
    EXPECT_EQ(progress_.bytes, once);
}

TEST_F(CheckBesideCollections, WhatAnAttemptHasVerifiedIsNotReadAgain) {
    auto request = read_all();
    request.max_age_s = 1000;
    int attempts = 0;
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::list || name != "keys/" || ++attempts == 3) return;
        ++now_s_;
        repo_.append_log({LogKind::condemn, {random_id<PackId>()}, {}, {}});
    });
    auto const report = check_repository(*repo_, request, progress_);
    repo_.observe_nothing();
    EXPECT_EQ(attempts, 3);
    std::uint64_t once = 0;
    for (auto const& object : repo_.store().list("packs/")) once += object.size;
    EXPECT_EQ(progress_.bytes, once);
    EXPECT_EQ(report.packs_read, repo_.objects("packs/").size());
    EXPECT_EQ(report.bytes_read, once);
}

TEST_F(CheckMemory, TwoAtATimeLoseNothing) {
    auto const other = open_repository(repo_.observed(), repo_.credentials(), repo_.options());
    std::atomic<bool> done{false};
    repo_.observe([&](Verb verb, std::string const& name) {
        if (verb != Verb::stat || !name.starts_with("packs/") || done.exchange(true)) return;
        Progress progress;
        check_repository(*other, read_slice(2, 2), progress);
    });
    Progress progress;
    auto const report = check_repository(*repo_, read_slice(1, 2), progress);
    repo_.observe_nothing();
    EXPECT_EQ(report.verification.packs_never, 0U);
}

TEST_F(CheckMemory, RemembersTheLastWholeChecks) {
    EXPECT_FALSE(status().last_check);
    auto const structure_s = ++now_s_;
    known();
    EXPECT_EQ(status().last_check, (CheckRun{structure_s, 0}));
    EXPECT_FALSE(status().last_read_data);
    auto const read_s = ++now_s_;
    check(read_all());
    EXPECT_EQ(status().last_check, (CheckRun{read_s, 0}));
    EXPECT_EQ(status().last_read_data, (CheckRun{read_s, 0}));
    auto const slice_s = ++now_s_;
    check(read_slice(1, 2));
    EXPECT_EQ(status().last_check, (CheckRun{slice_s, 0}));
    EXPECT_EQ(status().last_read_data, (CheckRun{read_s, 0}));
    damage(all_[0]);
    auto const damaged_s = ++now_s_;
    auto const errors = check(read_all()).errors.size();
    EXPECT_GT(errors, 0U);
    EXPECT_EQ(status().last_read_data, (CheckRun{damaged_s, errors}));
}

TEST_F(CheckMemory, ACheckThatCannotRememberSaysSo) {
    make_folder(memory_file() + "/in the way");
    auto const report = check(read_all());
    EXPECT_TRUE(report.clean());
    EXPECT_EQ(report.packs_read, all_.size());
    EXPECT_TRUE(any_contains(report.warnings, "not remembered"));
}

}  // namespace
}  // namespace coffre
