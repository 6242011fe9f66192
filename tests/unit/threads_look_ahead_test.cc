// Folders that are listed, and entries that are looked at, before the walk gets there.
#include "engine/snapshot/look_ahead.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "engine/snapshot/entries.h"
#include "engine_test_repo.h"

namespace coffre {
namespace {

using namespace test;

// Keeps the one thread of a LookAhead busy until it is released.
class BusyThread {
public:
    explicit BusyThread(LookAhead& ahead) {
        look_.emplace(*ahead.start([this] {
            begun_.set_value();
            released_.get_future().wait();
            return 0;
        }));
        begun_.get_future().wait();
    }
    void release() {
        released_.set_value();
        look_->get();
    }

private:
    std::promise<void> begun_;
    std::promise<void> released_;
    std::optional<Ahead<int>> look_;
};

TEST(ThreadsLookAhead, GivesWhatEachLookFinds) {
    LookAhead ahead(3);
    std::vector<Ahead<int>> looks;
    for (int i = 0; i < 50; ++i) looks.push_back(*ahead.start([i] { return i * i; }));
    for (int i = 0; i < 50; ++i) EXPECT_EQ(looks[static_cast<std::size_t>(i)].get(), i * i);
}

TEST(ThreadsLookAhead, DoesWhatNobodyHasBegun) {
    LookAhead ahead(1);
    BusyThread busy(ahead);
    auto const here = std::this_thread::get_id();
    auto look = ahead.start([] { return std::this_thread::get_id(); });
    ASSERT_TRUE(look);
    EXPECT_EQ(look->get(), here);
    busy.release();
}

TEST(ThreadsLookAhead, BeginsNothingThatIsNotWantedAnyMore) {
    std::atomic<bool> is_done = false;
    {
        LookAhead ahead(1);
        BusyThread busy(ahead);
        ahead.start([&] { return is_done = true; });
        busy.release();
    }
    EXPECT_FALSE(is_done);
}

TEST(ThreadsLookAhead, ThrowsWhatTheLookHasThrown) {
    LookAhead ahead(1);
    auto look = ahead.start([]() -> int { throw std::runtime_error("no"); });
    ASSERT_TRUE(look);
    EXPECT_THROW(look->get(), std::runtime_error);
}

TEST(ThreadsLookAhead, TakesOnNoMoreThanSoMuch) {
    LookAhead ahead(1);
    BusyThread busy(ahead);
    std::vector<Ahead<int>> looks;
    while (auto look = ahead.start([] { return 1; })) looks.push_back(std::move(*look));
    EXPECT_GT(looks.size(), 10U);
    EXPECT_LT(looks.size(), 1'000U);
    looks.pop_back();
    EXPECT_TRUE(ahead.start([] { return 1; }));
    busy.release();
    LookAhead none(0);
    EXPECT_FALSE(none.start([] { return 1; }));
}

// Three folders of which one is not walked, links, and more files than are looked at in one go.
class ThreadsEntries : public testing::TestWithParam<unsigned> {
protected:
    ThreadsEntries() {
        for (int i = 0; i < 1'100; ++i) names_.push_back("file" + std::to_string(i));
        for (auto const& name : names_) write_file(folder_ / name, name);
        for (std::string const name : {"a", "b", "z"}) {
            make_folder(folder_ / name);
            write_file(folder_ / name + "/in " + name, "");
            names_.push_back(name);
        }
        make_symlink(folder_ / "link", "a");
        names_.emplace_back("link");
        std::sort(names_.begin(), names_.end());
    }
    Listing list() const { return list_folder(AT_FDCWD, folder_.path().c_str()); }

    TempFolder folder_;
    std::vector<std::string> names_;
    LookAhead ahead_{GetParam()};
};

TEST_P(ThreadsEntries, AreInOrderWithWhatIsThere) {
    Entries entries(ahead_, list(), [](auto name, auto const&) { return name != "b"; });
    std::vector<std::string> names;
    std::vector<std::string> beneath;
    for (; !entries.at_end(); entries.next()) {
        std::string const name(entries.name());
        names.push_back(name);
        ASSERT_EQ(entries.look().error, 0) << name;
        auto const mode = entries.look().status.st_mode;
        EXPECT_EQ(S_ISREG(mode), name.starts_with("file")) << name;
        EXPECT_EQ(S_ISLNK(mode), name == "link") << name;
        if (!S_ISDIR(mode)) continue;
        auto const listing = entries.take_listing();
        ASSERT_EQ(listing.error, 0);
        ASSERT_EQ(listing.names.size(), 1U);
        beneath.emplace_back(listing.names[0]);
    }
    EXPECT_EQ(names, names_);
    EXPECT_EQ(beneath, (std::vector<std::string>{"in a", "in b", "in z"}));
}

TEST_P(ThreadsEntries, MayBeLeftEarly) {
    Entries entries(ahead_, list(), [](auto, auto const&) { return true; });
    for (int i = 0; i < 600; ++i) entries.next();
    EXPECT_EQ(entries.name(), names_[600]);
}

TEST_P(ThreadsEntries, TellWhatIsGone) {
    auto listing = list();
    std::filesystem::remove(folder_ / "file99");
    std::filesystem::remove_all(folder_ / "b");
    Entries entries(ahead_, std::move(listing), [](auto, auto const&) { return true; });
    std::map<std::string, int> errors;
    for (; !entries.at_end(); entries.next()) {
        auto const& look = entries.look();
        bool const is_folder = look.error == 0 && S_ISDIR(look.status.st_mode);
        int const error = is_folder ? entries.take_listing().error : look.error;
        if (error != 0) errors[std::string(entries.name())] = error;
    }
    EXPECT_EQ(errors, (std::map<std::string, int>{{"b", ENOENT}, {"file99", ENOENT}}));
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadsEntries, testing::Values(0U, 1U, 4U));

// What is saved does not depend on who has looked at it.
TEST(ThreadsWalk, SavesTheSameTree) {
    TempFolder const source;
    std::vector<std::string> files;
    for (int i = 0; i < 700; ++i) files.push_back("many/file" + std::to_string(i));
    for (int i = 0; i < 300; ++i) {
        files.push_back("deep/" + std::to_string(i % 40) + "/" + std::to_string(i % 7) + "/file" +
                        std::to_string(i));
    }
    write_tree(source.path(), files);
    TestRepo repo;
    std::vector<std::string> tars;
    for (unsigned const threads : {1U, 2U, 8U}) {
        for (int round = 0; round < 2; ++round) {
            auto request = saving({source.path()});
            request.threads = threads;
            request.exclude.patterns.add("/**/deep/3");
            auto const taken = repo.take(std::move(request));
            EXPECT_EQ(taken.snapshot.failure_count, 0U);
            EXPECT_EQ(taken.snapshot.statistics.files, 992U);
            tars.push_back(repo.tar_of(taken.snapshot));
            repo.settle(taken);
        }
    }
    for (auto const& tar : tars) EXPECT_TRUE(tar == tars[0]);
}

}  // namespace
}  // namespace coffre
