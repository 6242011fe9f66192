// A file whose holes change while they are looked for.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>

#include "engine_test_repo.h"

namespace {

// What is said of holes and data, question by question (-1: that it cannot tell); then the file
// system is asked.
std::deque<off_t>& answers() {
    static std::deque<off_t> planned;
    return planned;
}

}  // namespace

// Takes the place of the C library's in this program.
extern "C" off_t lseek(int fd, off_t offset, int whence) noexcept {
    bool const is_planned = !answers().empty() && (whence == SEEK_HOLE || whence == SEEK_DATA);
    if (!is_planned) return ::syscall(SYS_lseek, fd, offset, whence);
    off_t const answer = answers().front();
    answers().pop_front();
    if (answer < 0) errno = EINVAL;
    return answer;
}

namespace coffre {
namespace {

using namespace test;

TEST(Holes, ThatComeToTouchWhileTheyAreLookedForAreOne) {
    TempFolder const source;
    std::string const content =
        random_bytes(41, 4096) + std::string(8192, '\0') + random_bytes(42, 4096);
    write_file(source / "full", content);
    run_command("cd '" + source.path() + "' && cp --sparse=always full file && rm full");
    TestRepo repo;
    // The block at 8192 holds data until it is found, and is punched then.
    answers() = {4096, 8192, 8192, 12288, 16384};
    auto const taken = repo.save(source.path());
    EXPECT_TRUE(answers().empty());
    walk_snapshot(*repo, taken.snapshot, source / "file", [](std::string const&, Node const& node) {
        EXPECT_EQ(node.holes, (std::vector<Hole>{{4096, 8192}}));
        return false;
    });
    EXPECT_EQ(repo.dumped(taken.snapshot, source / "file"), content);
    EXPECT_EQ(repo.errors(), std::vector<std::string>{});
}

TEST(Holes, ThatAreNotToldOfAreSavedAsZeros) {
    std::vector<std::deque<off_t>> const unknown{{-1}, {4096, -1}};
    for (auto const& planned : unknown) {
        TempFolder const source;
        std::string const content = random_bytes(41, 4096) + std::string(8192, '\0');
        write_file(source / "full", content);
        run_command("cd '" + source.path() + "' && cp --sparse=always full file && rm full");
        TestRepo repo;
        answers() = planned;
        auto const taken = repo.save(source.path());
        EXPECT_EQ(taken.snapshot.failure_count, 0U);
        EXPECT_EQ(repo.dumped(taken.snapshot, source / "file"), content);
    }
}

}  // namespace
}  // namespace coffre
