#include "engine_test_repo.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "engine/util/fd.h"

namespace coffre::test {

namespace {

void require(bool ok, std::string const& doing) {
    if (!ok) throw std::runtime_error("test: cannot " + doing + ": " + errno_text());
}

std::string describe(std::string const& path, struct stat const& status) {
    std::string text = std::to_string(status.st_mode) + " " +
                       std::to_string(status.st_mtim.tv_sec) + "." +
                       std::to_string(status.st_mtim.tv_nsec);
    if (S_ISREG(status.st_mode)) {
        std::string const content = read_file(path);
        text += " file of " + std::to_string(content.size()) + " bytes, hash " +
                std::to_string(std::hash<std::string>{}(content));
    }
    if (S_ISLNK(status.st_mode)) text += " -> " + std::filesystem::read_symlink(path).native();
    return text;
}

}  // namespace

TempFolder::TempFolder()
    : path_(std::filesystem::temp_directory_path().native() + "/coffre-test-XXXXXX") {
    require(::mkdtemp(path_.data()) != nullptr, "make " + path_);
}

TempFolder::~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

void write_file(std::string const& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
    require(static_cast<bool>(file.flush()), "write " + path);
}

std::string read_file(std::string const& path) {
    std::ifstream file(path, std::ios::binary);
    require(static_cast<bool>(file), "read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void make_folder(std::string const& path) {
    std::filesystem::create_directories(path);
}

void write_tree(std::string const& folder, std::vector<std::string> const& files) {
    for (auto const& file : files) {
        std::string const path = folder + "/" + file;
        make_folder(path.substr(0, path.rfind('/')));
        write_file(path, file);
    }
}

void make_symlink(std::string const& path, std::string const& target) {
    require(::symlink(target.c_str(), path.c_str()) == 0, "link " + path);
}

void set_mode(std::string const& path, unsigned mode) {
    require(::chmod(path.c_str(), mode) == 0, "chmod " + path);
}

void set_mtime(std::string const& path, std::int64_t seconds, long nanoseconds) {
    std::array<struct timespec, 2> const times{timespec{0, UTIME_OMIT},
                                               timespec{seconds, nanoseconds}};
    require(::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) == 0,
            "set the time of " + path);
}

std::string random_bytes(unsigned seed, std::size_t size) {
    std::mt19937_64 random(seed);
    std::string bytes(size, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random() & 0xffU);
    return bytes;
}

std::string compressible_text(unsigned seed, std::size_t size) {
    std::mt19937_64 random(seed);
    std::string text;
    while (text.size() < size) text += "row " + std::to_string(random() % 1000) + ", and more\n";
    text.resize(size);
    return text;
}

TreeImage image_of(std::string const& folder) {
    TreeImage image;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(folder)) {
        std::string const path = entry.path().native();
        struct stat status {};
        require(::lstat(path.c_str(), &status) == 0, "look at " + path);
        image[path.substr(folder.size() + 1)] = describe(path, status);
    }
    return image;
}

TreeImage without(TreeImage image, std::string const& path) {
    std::erase_if(image, [&](auto const& entry) {
        return entry.first == path || entry.first.starts_with(path + "/");
    });
    return image;
}

void write_rich_tree(std::string const& folder) {
    std::string const deep = folder + "/deep/a/b/c/d/e/f/g/h";
    make_folder(deep);
    make_folder(folder + "/empty folder");
    make_folder(folder + "/closed");
    write_file(deep + "/leaf", "leaf");
    write_file(folder + "/empty", "");
    write_file(folder + "/large", random_bytes(1, 3U << 20U));
    write_file(folder + "/text", compressible_text(2, 300'000));
    write_file(folder + "/twin", compressible_text(2, 300'000));
    write_file(folder + "/line\nbreak", "newline");
    write_file(folder + "/bad\xff\xfe utf-8", "not UTF-8");
    write_file(folder + "/" + std::string(255, 'n'), "a name as long as names get");
    write_file(folder + "/nobody", "mode 0000");
    write_file(folder + "/everybody", "mode 0777");
    write_file(folder + "/set-id", "mode 6755");
    write_file(folder + "/old", "from before 1970");
    write_file(folder + "/closed/inside", "in a folder of mode 0000");
    make_symlink(folder + "/link", "text");
    make_symlink(folder + "/dangling", "../nowhere/at all");
    make_symlink(folder + "/link to folder", "deep/a");
    require(::mkfifo((folder + "/fifo").c_str(), 0640) == 0, "make a fifo");
    set_mode(folder + "/nobody", 0000);
    set_mode(folder + "/everybody", 0777);
    set_mode(folder + "/set-id", 06755);
    set_mode(folder + "/empty folder", 01777);
    set_mtime(folder + "/text", 1'000'000'000, 123'456'789);
    set_mtime(folder + "/old", -5, 999'999'999);
    set_mtime(folder + "/link", 1'100'000'000, 1);
    set_mtime(folder + "/dangling", -1, 1);
    set_mtime(folder + "/closed", 1'200'000'000, 7);
    set_mtime(folder + "/deep/a", -86'400, 5);
    set_mode(folder + "/closed", 0000);
}

std::size_t TextStream::read(std::span<std::byte> into) {
    std::size_t const size = std::min(into.size(), content_.size() - at_);
    std::memcpy(into.data(), content_.data() + at_, size);
    at_ += size;
    return size;
}

void TextStream::finish() {
    if (!failure_.empty()) throw RepositoryError(RepositoryFailure::stream_failed, failure_);
}

SnapshotRequest saving(std::vector<std::string> paths) {
    SnapshotRequest request;
    request.paths = std::move(paths);
    request.host = "test-host";
    request.threads = 2;
    return request;
}

std::unique_ptr<StreamSource> stream(std::string name, std::string content) {
    return std::make_unique<TextStream>(std::move(name), std::move(content));
}

TestRepo::TestRepo(Mode mode, ChunkerSizes const& sizes)
    : observed_(std::make_shared<ObservedBackend>(store_,
                                                  [this](Verb verb, std::string const& name) {
                                                      if (observer_) observer_(verb, name);
                                                  })),
      keys_(std::make_unique<TempFolder>()),
      cache_(std::make_unique<TempFolder>()),
      mode_(mode) {
    InitOptions init;
    init.mode = mode;
    init.chunker = sizes;
    repository_ = init_repository(observed_, init, credentials(), options());
}

Credentials TestRepo::credentials() const {
    Credentials credentials;
    if (mode_ == Mode::encrypted) credentials.key_file = *keys_ / "key";
    return credentials;
}

std::string TestRepo::index_file() const {
    return *cache_ / (repository_->id().hex() + "/index/data.mdb");
}

void TestRepo::reopen() {
    repository_.reset();
    repository_ = open_repository(observed_, credentials(), options());
}

void TestRepo::reopen_elsewhere() {
    repository_.reset();
    cache_ = std::make_unique<TempFolder>();
    reopen();
}

std::shared_ptr<Repository> TestRepo::on_other_machine(TempFolder const& cache) {
    std::shared_ptr<Backend> const store(&store_, [](Backend*) {});
    return open_repository(store, credentials(), {cache.path(), false, {}});
}

void TestRepo::reset_to(std::map<std::string, Bytes> objects) {
    observe_nothing();
    store_.replace_all(std::move(objects));
    reopen_elsewhere();
}

SnapshotResult TestRepo::take(SnapshotRequest request) {
    Progress progress;
    return take_snapshot(*repository_, request, progress);
}

void TestRepo::move_start(SnapshotResult const& taken, std::int64_t seconds) {
    Snapshot snapshot = taken.snapshot;
    snapshot.started_ns += seconds * 1'000'000'000;
    std::string const name = names::snapshot(taken.id.value());
    store_.remove(name);
    put(name, repository_->keys().seal_object(ObjectKind::snapshot, name, encode_slot({snapshot})));
}

RestoreResult TestRepo::restore(RestoreRequest const& request) {
    Progress progress;
    return restore_snapshot(*repository_, request, progress);
}

TreeImage TestRepo::restored(Snapshot const& snapshot, std::string const& path) {
    TempFolder const target;
    RestoreRequest request;
    request.from = {{}, snapshot, path};
    request.target = target.path();
    request.threads = 2;
    request.privileged = true;
    auto const result = restore(request);
    for (auto const& failure : result.failures) ADD_FAILURE() << failure.path << failure.message;
    for (auto const& damage : result.damaged) ADD_FAILURE() << damage.path << damage.message;
    return image_of(target.path());
}

std::string TestRepo::dumped(Snapshot const& snapshot, std::string const& path) {
    std::string content;
    dump_file(*repository_, snapshot, path, [&](ByteView part) { content += to_text(part); });
    return content;
}

std::string TestRepo::tar_of(Snapshot const& snapshot, std::string const& path) {
    std::string tar;
    dump_tar(*repository_, snapshot, path, [&](ByteView part) { tar += to_text(part); });
    return tar;
}

std::vector<std::string> TestRepo::ids() {
    std::vector<std::string> ids;
    for (auto const& named : list_snapshots(*repository_).snapshots) ids.push_back(named.id.hex());
    return ids;
}

CheckReport TestRepo::check(CheckDepth depth) {
    Progress progress;
    return check_repository(*repository_, depth, 2, progress);
}

void TestRepo::put(std::string const& name, ByteView bytes) {
    if (store_.put(name, bytes) != PutResult::stored) throw std::runtime_error(name + " exists");
}

void TestRepo::append_log(LogRecord const& record) {
    put_log(objects("gclog/").size(), record);
}

void TestRepo::put_log(std::uint64_t number, LogRecord const& record) {
    std::string const name = names::log_record(number);
    put(name, repository_->keys().seal_signed_object(ObjectKind::gc_log, name,
                                                     encode_log_record(record)));
}

std::vector<std::string> TestRepo::objects(std::string const& prefix) {
    std::vector<std::string> names;
    for (auto const& object : store_.list(prefix)) names.push_back(object.name);
    return names;
}

bool contains(std::string const& text, std::string const& part) {
    return text.find(part) != std::string::npos;
}

bool any_contains(std::vector<std::string> const& texts, std::string const& part) {
    return std::any_of(texts.begin(), texts.end(),
                       [&](std::string const& text) { return contains(text, part); });
}

std::string run_command(std::string const& command) {
    FILE* const pipe = ::popen(command.c_str(), "r");
    require(pipe != nullptr, "start " + command);
    std::string output;
    std::array<char, 4096> part{};
    while (std::size_t const size = std::fread(part.data(), 1, part.size(), pipe)) {
        output.append(part.data(), size);
    }
    EXPECT_EQ(::pclose(pipe), 0) << command;
    return output;
}

}  // namespace coffre::test
