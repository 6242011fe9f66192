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
    save_local_state(folder.path(), state);
    EXPECT_EQ(load_local_state(folder.path(), repository), state);
}

// Somebody has put its folder in the place of this one's.
TEST(LocalState, IsNotTakenFromAnotherRepository) {
    TempFolder const folder;
    auto const repository = random_id<RepositoryId>();
    LocalState state = load_local_state(folder.path(), random_id<RepositoryId>());
    state.heads[random_id<WriterId>()] = random_id<SessionId>();
    save_local_state(folder.path(), state);
    LocalState const own = load_local_state(folder.path(), repository);
    EXPECT_EQ(own.repository, repository);
    EXPECT_TRUE(own.heads.empty());
    EXPECT_NE(own.writer, state.writer);
}

}  // namespace
}  // namespace coffre
