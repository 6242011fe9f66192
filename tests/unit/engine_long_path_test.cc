// Trees whose paths no single call of the system takes: saved, restored, and removed.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <iostream>

#include "engine/util/fd.h"
#include "hostile_scene.h"

namespace coffre {
namespace {

using namespace test;

constexpr unsigned seed = 77;

// Makes folders inside each other, and a file in the last; relative to an open folder each. Returns
// the last one.
Fd make_deep(std::string const& top, std::vector<std::string> const& names) {
    Fd folder(::open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    for (auto const& name : names) {
        EXPECT_EQ(::mkdirat(folder.get(), name.c_str(), 0751), 0) << errno_text();
        folder = Fd(::openat(folder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        EXPECT_TRUE(folder);
    }
    Fd const file(::openat(folder.get(), "leaf", O_WRONLY | O_CREAT | O_CLOEXEC, 0640));
    EXPECT_TRUE(write_full(file.get(), as_bytes("at the end")));
    return folder;
}

// 255 bytes of all values that a name may have.
std::string odd_name(std::mt19937& random) {
    std::string name(255, '\0');
    for (auto& byte : name) {
        do {
            byte = static_cast<char>(random());
        } while (byte == '/' || byte == '\0');
    }
    return name;
}

class LongPath : public testing::Test {
protected:
    // What is beneath the folder, as one number: contents, names, modes, times.
    Digest saved_digest(std::string const& folder) {
        std::optional<Digest> digest;
        on_large_stack([&] {
            auto const taken = repo_.save(folder);
            EXPECT_EQ(taken.snapshot.failure_count, 0U);
            walk_snapshot(*repo_, taken.snapshot, folder, [&](std::string const&, Node const& n) {
                digest = n.digest;
                return false;
            });
        });
        return digest.value();
    }
    RestoreResult restore(std::string const& folder, std::string const& target) {
        RestoreRequest request;
        request.from = repo_.find("latest");
        request.from.sub_path = folder;
        request.target = target;
        request.verify = true;
        request.delete_extra = true;
        request.threads = 2;
        RestoreResult result;
        on_large_stack([&] { result = repo_.restore(request); });
        EXPECT_EQ(result.failures, std::vector<SourceFailure>{});
        EXPECT_EQ(result.damaged, std::vector<SourceFailure>{});
        return result;
    }
    // Saves, restores, saves what was restored; then restores an empty folder over it.
    void round_trip(std::vector<std::string> const& names) {
        make_deep(source_.path(), names);
        Digest const digest = saved_digest(source_.path());
        auto const result = restore(source_.path(), target_ / "copy");
        EXPECT_EQ(result.directories, names.size());
        EXPECT_EQ(result.files_verified, 1U);
        EXPECT_EQ(saved_digest(target_ / "copy"), digest);
        make_folder(target_ / "empty");
        saved_digest(target_ / "empty");
        EXPECT_EQ(restore(target_ / "empty", target_ / "copy").files_deleted, names.size() + 1);
        run_command("rm -rf '" + source_.path() + "'/*");
    }

    TempFolder source_;
    TempFolder target_;
    TestRepo repo_;
};

TEST_F(LongPath, OfTheLongestNamesOfAnyBytes) {
    std::cout << "seed " << seed << "\n";
    std::mt19937 random(seed);
    std::vector<std::string> names(40);
    for (auto& name : names) name = odd_name(random);
    round_trip(names);
}

TEST_F(LongPath, OfThousandsOfFolders) {
    round_trip(std::vector<std::string>(3000, "d"));
}

// No list of failures takes such a path as it is.
TEST_F(LongPath, OfAFileThatChangesIsToldByItsEnd) {
    std::vector<std::string> const names(270, std::string(250, 'd'));
    Fd const folder = make_deep(source_.path(), names);
    Progress progress;
    progress.on_item = [&](std::string const& what, std::string const& path) {
        if (what != "new" || !path.ends_with("/leaf")) return;
        Fd const leaf(::openat(folder.get(), "leaf", O_WRONLY | O_APPEND | O_CLOEXEC));
        ASSERT_TRUE(write_full(leaf.get(), as_bytes("more")));
    };
    auto request = saving({source_.path()});
    auto const taken = take_snapshot(*repo_, request, progress);
    run_command("rm -rf '" + source_.path() + "'/*");
    ASSERT_EQ(taken.snapshot.failures.size(), 1U);
    std::string const& told = taken.snapshot.failures[0].path;
    EXPECT_LT(told.size(), 10'000U);
    EXPECT_TRUE(told.starts_with("...") && told.ends_with("/" + names[0] + "/leaf")) << told;
    EXPECT_EQ(repo_.find("latest").snapshot, taken.snapshot);
    EXPECT_EQ(repo_.errors(), std::vector<std::string>{});
}

}  // namespace
}  // namespace coffre
