#include "hostile_scene.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "engine/util/attributes.h"
#include "sanitized.h"

namespace coffre::test {

namespace {

constexpr std::size_t stack_size = std::size_t{512} << 20U;
constexpr long memory_growth_kib = 400L << 10U;
constexpr unsigned longest_case_s = is_sanitized ? 500 : 100;
constexpr int scanned_depth = 12;  // deeper there is nothing but folders
constexpr std::uint64_t listed_at_most = 200'000;
constexpr std::uint64_t dumped_at_most = 64U << 20U;

void* run_action(void* action) {
    (*static_cast<std::function<void()> const*>(action))();
    return nullptr;
}

long peak_kib() {
    struct rusage usage {};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

std::vector<Xattr> attributes_at(std::string const& path) {
    return Attributes::of_entry(AT_FDCWD, path).read();
}

std::string describe_fully(std::string const& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) throw std::runtime_error("cannot look at " + path);
    // The kernel counts a name that the target had of it, and lost.
    bool const is_shared = path.ends_with("/shared");
    std::string text;
    for (auto const number : std::initializer_list<std::uint64_t>{
             status.st_mode, status.st_uid, status.st_gid, status.st_ino, status.st_rdev,
             static_cast<std::uint64_t>(status.st_size),
             static_cast<std::uint64_t>(status.st_mtim.tv_sec),
             static_cast<std::uint64_t>(status.st_mtim.tv_nsec),
             static_cast<std::uint64_t>(is_shared ? 0 : status.st_ctim.tv_sec),
             static_cast<std::uint64_t>(is_shared ? 0 : status.st_ctim.tv_nsec),
             is_shared ? 0 : status.st_nlink}) {
        text += std::to_string(number) + " ";
    }
    for (auto const& attribute : attributes_at(path))
        text += attribute.name + "=" + to_text(attribute.value) + " ";
    if (S_ISREG(status.st_mode)) text += read_file(path);
    if (S_ISLNK(status.st_mode)) text += std::filesystem::read_symlink(path).native();
    return text;
}

bool is_special(std::filesystem::file_status const& status) {
    return status.type() == std::filesystem::file_type::character ||
           status.type() == std::filesystem::file_type::block;
}

void note_rights(std::filesystem::directory_entry const& entry, std::set<std::string>& found) {
    std::string const path = entry.path().native();
    auto const status = entry.symlink_status();
    constexpr auto set_id = std::filesystem::perms::set_uid | std::filesystem::perms::set_gid;
    bool const is_set_id = (status.permissions() & set_id) != std::filesystem::perms::none;
    if (is_set_id && !entry.is_directory()) found.insert(path + " is set-id");
    if (is_special(status)) found.insert(path + " is a device");
    for (auto const& attribute : attributes_at(path)) {
        bool const gives =
            attribute.name.starts_with("security.") || attribute.name.starts_with("trusted.");
        if (gives && attribute.name != "security.selinux") found.insert(path + attribute.name);
    }
}

// One way to restore.
struct Way {
    Overwrite overwrite = Overwrite::always;
    bool delete_extra = false;
    bool verify = false;
    bool sparse = false;
};

std::vector<Way> ways_of(HostileCase const& hostile) {
    std::vector<Way> ways{{Overwrite::always, false, true, false}};
    if (!hostile.prepare) return ways;
    for (auto const overwrite :
         {Overwrite::always, Overwrite::if_changed, Overwrite::if_newer, Overwrite::never}) {
        ways.push_back({overwrite, false, false, false});
        ways.push_back({overwrite, true, true, true});
    }
    return ways;
}

// Files of exabytes fill some file systems, where others refuse them at once.
class LargestFile {
public:
    LargestFile() {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        struct rlimit limit = before_;
        limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, rlim_t{16} << 40U);
        ::setrlimit(RLIMIT_FSIZE, &limit);
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
    }
    ~LargestFile() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    LargestFile(LargestFile const&) = delete;
    LargestFile& operator=(LargestFile const&) = delete;

private:
    struct rlimit before_ {};
    void (*handler_)(int) = nullptr;
};

struct Enough {};

// What an action said of the repository; an error that ends it included.
template <class Action>
std::vector<std::string> texts_of(Action const& action) {
    std::vector<std::string> said;
    try {
        action(said);
    } catch (RepositoryError const& error) {
        said.emplace_back(error.what());
    } catch (SourceError const& error) {
        said.emplace_back(error.what());
    } catch (Enough const&) {
        return said;
    } catch (std::exception const& error) {
        ADD_FAILURE() << "not an error of ours: " << error.what();
    }
    return said;
}

template <class Action>
std::vector<std::string> said_by(std::string const& command, Action const& action) {
    std::vector<std::string> said;
    on_large_stack([&] { said = texts_of(action); });
    for (auto const& text : said) {
        EXPECT_FALSE(text.empty()) << command;
        EXPECT_LT(text.size(), 100'000U) << command;
    }
    return said;
}

class Run {
public:
    explicit Run(HostileCase const& hostile) : hostile_(hostile) { hostile_.craft(repo_, scene_); }

    void restore(Way const& way) {
        scene_.reset_target();
        if (hostile_.prepare) hostile_.prepare(scene_);
        TreeImage const outside = scene_.outside();
        auto const rights = scene_.rights();
        auto said = said_by("restore", [&](auto& texts) { restore(way, texts); });
        auto const& warnings = repo_->warnings();
        said.insert(said.end(), warnings.begin(), warnings.end());
        EXPECT_EQ(scene_.outside(), outside);
        auto const gained = scene_.rights();
        EXPECT_TRUE(std::includes(rights.begin(), rights.end(), gained.begin(), gained.end()))
            << testing::PrintToString(gained);
        if (!hostile_.prepare) expect(said);
    }

    void read_otherwise() {
        said_by("check", [&](auto& said) {
            Progress progress;
            said = check_repository(**repo_, CheckDepth::read_data, 2, progress).errors;
        });
        said_by("ls", [&](auto&) {
            std::uint64_t count = 0;
            walk_snapshot(**repo_, repo_->find("latest").snapshot, "",
                          [&](std::string const&, Node const&) {
                              if (++count > listed_at_most) throw Enough{};
                              return true;
                          });
        });
        said_by("dump", [&](auto&) {
            std::uint64_t size = 0;
            dump_tar(**repo_, repo_->find("latest").snapshot, "", [&](ByteView part) {
                if ((size += part.size()) > dumped_at_most) throw Enough{};
            });
        });
    }

private:
    void restore(Way const& way, std::vector<std::string>& said) {
        RestoreRequest request;
        request.from = repo_->find("latest");
        request.from.sub_path = hostile_.sub_path;
        request.target = scene_.target();
        request.overwrite = way.overwrite;
        request.delete_extra = way.delete_extra;
        request.verify = way.verify;
        request.sparse = way.sparse;
        request.dry_run = hostile_.dry_run;
        request.threads = 2;
        auto const result = repo_->restore(request);
        for (auto const& failure : result.failures)
            said.push_back(failure.path + ": " + failure.message);
        for (auto const& damage : result.damaged)
            said.push_back(damage.path + ": " + damage.message);
    }

    void expect(std::vector<std::string> const& said) const {
        SCOPED_TRACE("said " + testing::PrintToString(said));
        if (hostile_.expected == Expected::either) return;
        EXPECT_EQ(said.empty(), hostile_.expected == Expected::whole);
        EXPECT_TRUE(hostile_.says.empty() || any_contains(said, hostile_.says));
    }

    HostileCase const& hostile_;
    LargestFile const limited_;
    Scene scene_;
    HostileRepo repo_;
};

}  // namespace

void on_large_stack(std::function<void()> const& action) {
    pthread_attr_t attributes;
    pthread_t thread{};
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, stack_size);
    auto* const argument = const_cast<std::function<void()>*>(&action);
    int const error = ::pthread_create(&thread, &attributes, run_action, argument);
    ::pthread_attr_destroy(&attributes);
    if (error != 0) throw std::runtime_error("test: no thread");
    ::pthread_join(thread, nullptr);
}

Scene::Scene() {
    make_folder(sandbox_ / "above/beside");
    make_folder(canary() + "/folder/inner");
    write_file(canary() + "/file", "canary");
    write_file(canary() + "/shared", "canary");
    write_file(canary() + "/folder/inner/leaf", "canary");
    make_symlink(canary() + "/link", "file");
    set_mode(canary() + "/file", 0604);
    set_mtime(canary() + "/file", 1'111'111'111, 11);
    set_mtime(canary() + "/folder", 1'222'222'222, 22);
    set_mtime(canary() + "/link", 1'333'333'333, 33);
    ::lsetxattr((canary() + "/file").c_str(), "user.canary", "sings", 5, 0);
    reset_target();
}

void Scene::reset_target() const {
    // Deeper than std::filesystem goes.
    if (std::filesystem::exists(target())) run_command("rm -rf '" + target() + "'");
    make_folder(target());
}

TreeImage Scene::outside() const {
    TreeImage image;
    image[""] = describe_fully(sandbox_.path());
    auto entries = std::filesystem::recursive_directory_iterator(sandbox_.path());
    for (auto const& entry : entries) {
        std::string const path = entry.path().native();
        if (path == target()) {
            entries.disable_recursion_pending();
            image[path] = "the target";
            continue;
        }
        image[path] = describe_fully(path);
    }
    return image;
}

std::set<std::string> Scene::rights() const {
    std::set<std::string> found;
    auto entries = std::filesystem::recursive_directory_iterator(target());
    for (auto const& entry : entries) {
        note_rights(entry, found);
        if (entries.depth() > scanned_depth) entries.disable_recursion_pending();
    }
    return found;
}

std::ostream& operator<<(std::ostream& out, HostileCase const& hostile) {
    return out << hostile.name;
}

std::string name_of(testing::TestParamInfo<HostileCase> const& info) {
    return info.param.name;
}

void run_case(HostileCase const& hostile) {
    static long const peak_before = peak_kib();
    long const peak_before_case = peak_kib();
    // Names and owners need no rights to be refused; canary and set-id bits do.
    if (::geteuid() != 0) GTEST_SKIP() << "needs root: to be able to do harm";
    ::alarm(longest_case_s);  // an endless loop ends the program
    Run run(hostile);
    for (auto const& way : ways_of(hostile)) {
        SCOPED_TRACE("overwrite " + std::to_string(static_cast<int>(way.overwrite)) +
                     (way.delete_extra ? ", delete" : ""));
        run.restore(way);
    }
    run.read_otherwise();
    ::alarm(0);
    long const peak = peak_kib();
    bool const is_bounded = peak - peak_before < memory_growth_kib || peak == peak_before_case;
    EXPECT_TRUE(is_bounded || is_sanitized) << peak << " KiB, before " << peak_before_case;
}

}  // namespace coffre::test
