// While a restore runs, somebody keeps exchanging what it has made for links to a canary.
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <thread>

#include "engine/error.h"
#include "engine/restore/target.h"
#include "hostile_scene.h"
#include "sanitized.h"

namespace coffre {
namespace {

using namespace test;

constexpr int restores = is_sanitized ? 40 : 200;
constexpr unsigned seed = 20'240;

// Puts links in the places of these, and them back, until it is told to stop.
class Exchanger {
public:
    Exchanger(Scene const& scene, std::vector<std::string> paths)
        : scene_(scene),
          target_(scene.target(), Absent::stays),
          paths_(std::move(paths)),
          thread_([this](std::stop_token const& stop) {
              std::mt19937 random(seed);
              while (!stop.stop_requested()) swap(paths_[random() % paths_.size()]);
          }) {}

    std::uint64_t count() const { return count_; }

private:
    void swap(std::string const& path) {
        std::string const decoy = scene_.target() + "-decoy";
        std::error_code ignored;
        std::filesystem::remove_all(decoy, ignored);  // what was no longer there to change back
        std::filesystem::create_symlink(scene_.canary() + "/folder", decoy, ignored);
        try {
            if (exchange(decoy, target_.parent_of(path))) ++count_;
        } catch (SourceError const&) {
            // a folder above it is a link, or not there
        }
    }

    // There and back; both in the folder that was opened, lest this one follows links itself.
    static bool exchange(std::string const& decoy, Target::Parent const& place) {
        bool is_done = true;
        for (int i = 0; i < 2; ++i) {
            is_done = ::syscall(SYS_renameat2, AT_FDCWD, decoy.c_str(), place.folder.get(),
                                place.name.c_str(), RENAME_EXCHANGE) == 0 &&
                      is_done;
        }
        return is_done;
    }

    Scene const& scene_;
    Target target_;
    std::vector<std::string> paths_;
    std::atomic<std::uint64_t> count_{0};
    std::jthread thread_;
};

class ThreadsRestoreRace : public testing::TestWithParam<Overwrite> {
protected:
    void SetUp() override {
        std::cout << "seed " << seed << "\n";
        std::vector<Node> inner{repo_.file("file", random_bytes(seed, 100'000)),
                                repo_.folder("inner", {repo_.file("leaf", "leaf")}),
                                link_to("link", scene_.canary()), node_of("pipe", NodeKind::fifo)};
        repo_.publish({repo_.folder("folder", inner), repo_.file("other", "other")});
    }
    RestoreRequest request() {
        RestoreRequest request;
        request.from = repo_->find("latest");
        request.target = scene_.target();
        request.overwrite = GetParam();
        request.delete_extra = true;
        request.verify = true;
        request.threads = 2;
        return request;
    }

    Scene scene_;
    HostileRepo repo_;
};

TEST_P(ThreadsRestoreRace, NothingOutsideOfTheTargetChanges) {
    std::string const inner = scene_.canary() + "/folder/inner";
    TreeImage const before = image_of(scene_.canary());
    struct stat status_before {};
    ASSERT_EQ(::stat(inner.c_str(), &status_before), 0);
    {
        Exchanger const exchanger(scene_, {"folder", "folder/inner", "folder/file", "folder/pipe",
                                           "folder/inner/leaf", "other"});
        for (int i = 0; i < restores || exchanger.count() < restores; ++i) {
            try {
                repo_->restore(request());
            } catch (SourceError const& error) {
                EXPECT_STRNE(error.what(), "");
            }
        }
    }
    EXPECT_EQ(image_of(scene_.canary()), before);
    struct stat status {};
    ASSERT_EQ(::stat(inner.c_str(), &status), 0);
    EXPECT_EQ(status.st_ctim.tv_sec, status_before.st_ctim.tv_sec);
    EXPECT_EQ(status.st_ctim.tv_nsec, status_before.st_ctim.tv_nsec);
}

INSTANTIATE_TEST_SUITE_P(Overwrites, ThreadsRestoreRace,
                         testing::Values(Overwrite::always, Overwrite::if_changed));

}  // namespace
}  // namespace coffre
