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
    LocalState state = load_local_state(folder.path());
    for (int i = 0; i < 100'000; ++i) {
        state.heads[random_id<WriterId>()] = random_id<SessionId>();
    }
    save_local_state(folder.path(), state);
    EXPECT_EQ(load_local_state(folder.path()), state);
}

}  // namespace
}  // namespace coffre
