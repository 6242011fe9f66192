#include "proof.h"

#include <malloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace coffre::proof {

namespace {

constexpr std::size_t failures_kept = 12;
constexpr std::uint64_t default_seed = 20'260'802;

std::string setting(char const* name) {
    char const* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

bool is_long() {
    return setting("COFFRE_PROOF_LONG") == "1";
}

std::uint64_t seed() {
    std::string const text = setting("COFFRE_PROOF_SEED");
    return text.empty() ? default_seed : std::strtoull(text.c_str(), nullptr, 10);
}

std::mt19937_64 random_of(std::uint64_t step) {
    std::seed_seq mixed{seed(), seed() >> 32U, step, step >> 32U};
    return std::mt19937_64(mixed);
}

std::size_t pick(std::mt19937_64& random, std::size_t below) {
    return std::uniform_int_distribution<std::size_t>(0, below - 1)(random);
}

void Cases::fail(std::string const& message) {
    ++failed_;
    if (failures_.size() < failures_kept) failures_.push_back(label_ + ": " + message);
}

Cases::~Cases() {
    std::string line = test_ + ": " + std::to_string(count_) + " " + unit_;
    for (auto const& [what, count] : others_) line += ", " + std::to_string(count) + " " + what;
    std::cout << line << ", " << failed_ << " failures\n";
    if (failed_ == 0) return;
    std::string text = std::to_string(failed_) +
                       " failures; COFFRE_PROOF_SEED=" + std::to_string(seed()) +
                       (is_long() ? " COFFRE_PROOF_LONG=1" : "") + " replays them. The first:";
    for (auto const& failure : failures_) text += "\n  " + failure;
    ADD_FAILURE() << text;
}

std::map<std::string, std::string> all_tars(Repository& repository) {
    std::map<std::string, std::string> tars;
    for (auto const& named : list_snapshots(repository).snapshots) {
        std::string& tar = tars[named.id.hex()];
        dump_tar(repository, named.snapshot, "", [&](ByteView part) { tar += to_text(part); });
    }
    return tars;
}

SnapshotResult save(Repository& repository, std::vector<std::string> paths) {
    auto request = saving(std::move(paths));
    request.threads = 1;
    Progress progress;
    return take_snapshot(repository, request, progress);
}

CheckReport check(Repository& repository, CheckDepth depth) {
    Progress progress;
    return check_repository(repository, depth, 1, progress);
}

std::string joined(Names const& texts) {
    std::string line;
    for (auto const& text : texts) line += (line.empty() ? "" : " | ") + text;
    return line;
}

}  // namespace coffre::proof

namespace {

// Thousands of small files come and go: in memory, unless the caller says where.
void work_in_memory() {
    if (::access("/dev/shm", W_OK) == 0) ::setenv("TMPDIR", "/dev/shm", 0);
}

// Stores in memory come and go as well: what they held is kept, and not touched anew each time.
void keep_memory() {
    constexpr int largest_kept = 32 << 20;
    constexpr int most_kept = 1 << 30;
    ::mallopt(M_MMAP_THRESHOLD, largest_kept);
    ::mallopt(M_TRIM_THRESHOLD, most_kept);
}

}  // namespace

int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    work_in_memory();
    keep_memory();
    return RUN_ALL_TESTS();
}
