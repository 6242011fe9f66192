// Damages every object of a small repository in many ways: check names it, and what a restore gives
// is exact or said to be damaged.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "engine_test_repo.h"
#include "format/limits.h"

namespace coffre {
namespace {

using namespace test;

using Objects = std::map<std::string, Bytes>;

std::string folder_of(std::string const& name) {
    return name.substr(0, name.find('/'));
}

// What opening and reading a damaged repository came to.
struct Outcome {
    std::string refused;              // the message with which it could not be opened
    std::vector<std::string> errors;  // of a check that reads everything
    bool was_exact = false;           // a dump gave the right bytes
};

class Tampered : public testing::TestWithParam<Mode> {
protected:
    void SetUp() override {
        fill(repo_);
        fill(sibling_);
        sound_ = repo_.store().objects();
        foreign_ = sibling_.store().objects();
        repo_.reopen_elsewhere();
        snapshot_ = repo_.find("latest").snapshot;
        tar_ = repo_.tar_of(snapshot_, source_.path());
        for (auto const& [name, bytes] : sound_) {
            if (name != forgotten_) needed_.emplace(name, bytes);
        }
    }

    // Two snapshots, one forgotten, a log of two records; packs of both kinds, two bundles.
    void fill(TestRepo& repo) {
        write_file(source_ / "noise", random_bytes(1, 5000));
        write_file(source_ / "text", compressible_text(2, 20'000));
        make_symlink(source_ / "link", "text");
        auto const forgotten = repo.save(source_.path());
        std::string const forget = names::forget(forgotten.id.value());
        if (&repo == &repo_) forgotten_ = names::snapshot(forgotten.id.value());
        repo.put(forget, repo->keys().seal_signed_object(ObjectKind::forget, forget,
                                                         encode_forget({1, "a test"})));
        write_file(source_ / "noise", random_bytes(3, 5000));
        repo.save(source_.path());
        repo.append_log({LogKind::condemn, {}, {}, {}});
        repo.append_log({LogKind::sweep, {}, {}, {}});
        std::filesystem::remove(source_ / "link");
    }

    // With a fresh cache: nothing that this machine remembers helps.
    Outcome outcome_of(Objects objects) {
        Outcome outcome;
        try {
            repo_.reset_to(std::move(objects));
        } catch (RepositoryError const& error) {
            outcome.refused = error.what();
            return outcome;
        }
        try {
            outcome.errors = repo_.errors(CheckDepth::read_data);
        } catch (RepositoryError const& error) {
            outcome.errors.emplace_back(error.what());
        }
        try {
            // The snapshot as the user would find it; when it cannot be found, that is an answer
            // too.
            std::string const tar = repo_.tar_of(repo_.find("latest").snapshot, source_.path());
            outcome.was_exact = tar == tar_;
            EXPECT_TRUE(outcome.was_exact || outcome.errors.size() > 0)
                << "a dump gave wrong bytes";
        } catch (RepositoryError const&) {
            outcome.was_exact = false;
        }
        return outcome;
    }

    // Whether somebody said that `name` is not as it was.
    static bool is_named(Outcome const& outcome, std::string const& name) {
        return contains(outcome.refused, folder_of(name)) || any_contains(outcome.errors, name);
    }

    void expect_noticed(std::string const& name, Bytes bytes, std::string const& what) {
        Objects objects = sound_;
        objects[name] = std::move(bytes);
        EXPECT_TRUE(is_named(outcome_of(std::move(objects)), name)) << what << " of " << name;
    }

    TempFolder source_;
    TestRepo repo_{GetParam()};
    TestRepo sibling_{GetParam()};
    Objects sound_;
    Objects needed_;  // all of them but the snapshot that is forgotten
    std::string forgotten_;
    Objects foreign_;
    Snapshot snapshot_;
    std::string tar_;
};

INSTANTIATE_TEST_SUITE_P(Modes, Tampered, testing::Values(Mode::none, Mode::encrypted),
                         [](auto const& mode) {
                             return mode.param == Mode::none ? "None" : "Encrypted";
                         });

TEST_P(Tampered, NothingIsWrongBefore) {
    Outcome const outcome = outcome_of(sound_);
    EXPECT_EQ(outcome.refused, "");
    EXPECT_EQ(outcome.errors, std::vector<std::string>{});
    EXPECT_TRUE(outcome.was_exact);
    std::set<std::string> kinds;
    for (auto const& [name, bytes] : sound_) kinds.insert(folder_of(name));
    std::set<std::string> expected{"config",  "packs",     "bundles", "sessions",
                                   "forgets", "snapshots", "gclog"};
    if (GetParam() == Mode::encrypted) expected.insert("keys");
    EXPECT_EQ(kinds, expected);
}

TEST_P(Tampered, AFlippedBitIsNoticed) {
    constexpr std::size_t flips_per_object = 24;
    for (auto const& [name, bytes] : needed_) {
        std::size_t const step = bytes.size() / flips_per_object + 1;
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            Bytes damaged = bytes;
            damaged[at] ^= std::byte{1} << (at % 8);
            expect_noticed(name, damaged, "bit flip at " + std::to_string(at));
        }
        Bytes damaged = bytes;
        damaged.back() ^= std::byte{0x80};
        expect_noticed(name, damaged, "bit flip at the end");
    }
}

TEST_P(Tampered, AnotherLengthIsNoticed) {
    for (auto const& [name, bytes] : needed_) {
        for (std::size_t const size :
             {std::size_t{0}, std::size_t{1}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
            expect_noticed(name,
                           Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)),
                           "cut to " + std::to_string(size));
        }
        Bytes longer = bytes;
        longer.push_back(std::byte{0});
        expect_noticed(name, longer, "a byte more");
        append(longer, bytes);
        expect_noticed(name, longer, "twice the bytes");
    }
}

TEST_P(Tampered, AnotherObjectOfTheKindIsNoticed) {
    for (auto const& [name, bytes] : needed_) {
        for (auto const& [other, other_bytes] : sound_) {
            if (other == name || folder_of(other) != folder_of(name)) continue;
            expect_noticed(name, other_bytes, "exchange for " + other);
        }
    }
}

TEST_P(Tampered, AnotherRepositorysObjectIsNoticed) {
    for (auto const& [name, bytes] : needed_) {
        for (auto const& [other, other_bytes] : foreign_) {
            // In mode none anybody can make a whole repository; its objects then contradict it.
            if (folder_of(other) != folder_of(name)) continue;
            Objects objects = sound_;
            objects[name] = other_bytes;
            Outcome const outcome = outcome_of(std::move(objects));
            EXPECT_FALSE(outcome.was_exact && outcome.errors.empty() && outcome.refused.empty())
                << "sibling's " << other << " for " << name;
        }
    }
}

TEST_P(Tampered, AStrangersObjectBesideTheOthersIsNoticed) {
    for (auto const& [other, bytes] : foreign_) {
        // Whose key opens a slot is known to those only who hold it.
        if (sound_.contains(other) || folder_of(other) == "keys") continue;
        Objects objects = sound_;
        objects[other] = bytes;
        EXPECT_TRUE(is_named(outcome_of(std::move(objects)), other)) << other;
    }
}

TEST_P(Tampered, AMissingObjectIsNoticedWhenItIsNeeded) {
    for (auto const& [name, bytes] : needed_) {
        Objects objects = sound_;
        objects.erase(name);
        Outcome const outcome = outcome_of(std::move(objects));
        std::string const kind = folder_of(name);
        bool const is_spare = kind == "sessions" || kind == "forgets";
        bool const is_last = name == sound_.rbegin()->first || name == names::log_record(1);
        bool const is_newest = kind == "snapshots" && name != names::snapshot(snapshot_.previous);
        bool const is_noticed = !outcome.refused.empty() || !outcome.errors.empty();
        EXPECT_TRUE(is_noticed || is_spare || is_last || is_newest) << name;
        EXPECT_TRUE(is_noticed || outcome.was_exact || is_newest || kind == "forgets") << name;
    }
}

TEST_P(Tampered, RestoreLeavesExactFilesAndNamesTheOthers) {
    repo_.reset_to(sound_);
    TreeImage const exact = repo_.restored(snapshot_, source_.path());
    for (auto const& [name, bytes] : sound_) {
        if (folder_of(name) != "packs") continue;
        for (std::size_t at = 40; at < bytes.size(); at += bytes.size() / 5) {
            Objects objects = sound_;
            objects[name][at] ^= std::byte{1};
            repo_.reset_to(std::move(objects));
            TempFolder const target;
            RestoreRequest request;
            request.from = {{}, snapshot_, source_.path()};
            request.target = target.path();
            RestoreResult result;
            auto const failure = failure_of([&] { result = repo_.restore(request); });
            TreeImage expected = exact;
            for (auto const& damage : result.damaged) expected.erase(damage.path);
            if (failure ||
                any_contains({result.damaged.empty() ? "" : result.damaged[0].path}, "/"))
                continue;
            EXPECT_EQ(image_of(target.path()), expected) << name << " at " << at;
        }
    }
}

TEST_P(Tampered, ADamagedPackIsNoticedAsLongAsItsBytesMatter) {
    for (auto const& [name, bytes] : sound_) {
        if (folder_of(name) != "packs") continue;
        Objects objects = sound_;
        objects[name][pack_header_size + 10] ^= std::byte{4};
        repo_.reset_to(std::move(objects));
        // The structure is whole: only reading the bytes shows it, unless they are the trees.
        EXPECT_TRUE(any_contains(repo_.errors(CheckDepth::read_data), name));
    }
}

TEST_P(Tampered, ADamagedForgottenSnapshotIsNoticed) {
    Bytes damaged = sound_[forgotten_];
    damaged[damaged.size() / 2] ^= std::byte{1};
    expect_noticed(forgotten_, damaged, "bit flip");
}

TEST_P(Tampered, AJunkForgetHidesNoSnapshot) {
    Objects objects = sound_;
    for (auto const& [name, bytes] : sound_) {
        if (folder_of(name) == "snapshots") objects["forgets/" + last_component(name)] = Bytes(50);
    }
    repo_.reset_to(std::move(objects));
    auto const list = list_snapshots(*repo_);
    EXPECT_EQ(list.snapshots.size(), 2U);
    EXPECT_EQ(list.damaged.size(), 2U);
}

// An older snapshot would pass for the latest.
TEST_P(Tampered, AJunkForgetInThePlaceOfASnapshotIsNoticed) {
    auto const latest = repo_.find("latest").id;
    Objects objects = sound_;
    objects.erase(names::snapshot(latest));
    objects[names::forget(latest)] = {};
    repo_.store().replace_all(objects);
    EXPECT_EQ(failure_of([&] { repo_.reopen(); }), RepositoryFailure::rolled_back);
    repo_.reset_to(objects);
    EXPECT_EQ(failure_of([&] { repo_.find("latest"); }), RepositoryFailure::corrupt);
}

TEST_P(Tampered, AVersionThatWasChangedIsDamageAndStopsNobody) {
    for (auto const* folder : {"snapshots", "bundles", "forgets", "sessions"}) {
        for (auto const& [name, bytes] : sound_) {
            if (folder_of(name) != folder) continue;
            Objects objects = sound_;
            objects[name][6] = std::byte{3};
            repo_.reset_to(std::move(objects));
            EXPECT_EQ(failure_of([&] { list_snapshots(*repo_); }), std::nullopt) << name;
            EXPECT_TRUE(any_contains(repo_.errors(), name)) << name;
        }
    }
}

TEST_P(Tampered, CheckGoesOnAfterADamagedLog) {
    Objects objects = sound_;
    objects[names::log_record(0)][20] ^= std::byte{1};
    std::string pack;
    for (auto const& [name, bytes] : sound_) {
        if (folder_of(name) == "packs") pack = name;
    }
    objects[pack][pack_header_size] ^= std::byte{1};
    repo_.reset_to(std::move(objects));
    CheckReport report;
    EXPECT_EQ(failure_of([&] { report = repo_.check(CheckDepth::read_data); }), std::nullopt);
    EXPECT_TRUE(any_contains(report.errors, names::log_record(0)));
    EXPECT_TRUE(any_contains(report.errors, pack));
}

}  // namespace
}  // namespace coffre
