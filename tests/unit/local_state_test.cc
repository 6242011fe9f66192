#include "engine/repository/local_state.h"

#include <gtest/gtest.h>

#include "engine/crypto/secret.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

// A container that keeps no cache is a new writer each time it runs.
TEST(LocalState, RemembersMoreWritersThanFitIntoAMebibyte) {
    TempFolder const folder;
    auto const repository = random_id<RepositoryId>();
    LocalState state = load_local_state(folder.path(), repository);
    for (int i = 0; i < 100'000; ++i) {
        state.heads[random_id<WriterId>()] = random_id<SessionId>();
    }
    update_local_state(folder.path(), state, [](LocalState&) {});
    EXPECT_EQ(load_local_state(folder.path(), repository), state);
}

// A repository for each day is copied to, say.
TEST(LocalState, ForgetsTheOldestCopiesRatherThanWhatElseItKnows) {
    TempFolder const folder;
    auto const repository = random_id<RepositoryId>();
    LocalState state = load_local_state(folder.path(), repository);
    state.heads[random_id<WriterId>()] = random_id<SessionId>();
    RepositoryId newest;
    for (int day = 0; day < 1'500; ++day) {
        newest = random_id<RepositoryId>();
        update_local_state(folder.path(), state, [&](LocalState& now) {
            if (day == 0) now.heads = state.heads;
            now.copies[newest] = {newest, "/mnt/" + std::to_string(day), day, day};
        });
        if (day == 0) state = load_local_state(folder.path(), repository);
    }
    auto const kept = load_local_state(folder.path(), repository);
    EXPECT_EQ(kept.heads, state.heads);
    EXPECT_EQ(kept.copies.size(), 1'000U);
    EXPECT_EQ(kept.copies.at(newest).destination, "/mnt/1499");
}

// Somebody has put its folder in the place of this one's.
TEST(LocalState, IsNotTakenFromAnotherRepository) {
    TempFolder const folder;
    auto const repository = random_id<RepositoryId>();
    LocalState state = load_local_state(folder.path(), random_id<RepositoryId>());
    state.heads[random_id<WriterId>()] = random_id<SessionId>();
    update_local_state(folder.path(), state, [](LocalState&) {});
    LocalState const own = load_local_state(folder.path(), repository);
    EXPECT_EQ(own.repository, repository);
    EXPECT_TRUE(own.heads.empty());
    EXPECT_NE(own.writer, state.writer);
}

// A run may take hours, and others of this machine end meanwhile.
TEST(LocalState, KeepsWhatOtherRunsHaveSeenMeanwhile) {
    TempFolder const source;
    write_file(source / "file", "1");
    TestRepo repo;
    repo.save(source.path());
    auto const run = [&](std::string const& path) {
        auto const other = open_repository(repo.observed(), repo.credentials(), repo.options());
        auto request = saving({path});
        Progress progress;
        return take_snapshot(*other, request, progress);
    };
    auto const second = run(source.path());
    // This one was opened before.
    auto const third = repo.save(source.path());
    EXPECT_EQ(third.snapshot.previous, *second.id);
    EXPECT_EQ(third.snapshot.sequence, second.snapshot.sequence + 1);
    auto const fourth = run(source.path());
    std::int64_t const records = 7;
    repo->keep_local_state(nullptr, [&](LocalState& state) { state.log_records = records; });
    auto const kept = load_local_state(repo->folder(), repo->id());
    EXPECT_EQ(kept.heads.at(kept.writer), *fourth.id);
    EXPECT_EQ(kept.sequence, fourth.snapshot.sequence);
    EXPECT_EQ(kept.log_records, 7U);
}

}  // namespace
}  // namespace coffre
