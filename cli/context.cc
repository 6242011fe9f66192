#include "cli/context.h"

#include <pwd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/output.h"
#include "engine/error.h"
#include "format/limits.h"

namespace coffre::cli {

std::string environment(char const* name) {
    char const* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

namespace {

constexpr std::size_t passphrase_limit = 64 * std::size_t{1024};
constexpr int prompt_tries = 3;
constexpr std::size_t weak_below = 10;

std::string read_text_file(std::string const& path, char const* what) {
    std::ifstream file(path);
    std::ostringstream text;
    bool const is_empty = file && file.peek() == std::ifstream::traits_type::eof() && !file.bad();
    if (!is_empty && !(text << file.rdbuf())) {
        throw SourceError(path, path + ": cannot read the " + what + ": " +
                                    std::generic_category().message(errno));
    }
    return text.str();
}

// Without a byte order mark and the line end that editors add.
std::string trimmed(std::string text) {
    if (text.starts_with("\xef\xbb\xbf")) text = text.substr(3);
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

// Read once: a pipe gives no more, and a command may ask twice.
std::string const& text_in(std::string const& file, char const* what) {
    static std::map<std::string, std::string> known;
    auto const found = known.find(file);
    if (found != known.end()) return found->second;
    return known[file] = trimmed(read_text_file(file, what));
}

RepositoryError wrong_key(std::string const& message) {
    return {RepositoryFailure::wrong_key, message};
}

// One that is to open a repository.
std::string known_passphrase(std::string passphrase) {
    if (passphrase.empty()) throw wrong_key("the passphrase is empty");
    return passphrase;
}

std::string new_passphrase(std::string passphrase) {
    if (passphrase.empty()) throw std::invalid_argument("the passphrase is empty");
    return passphrase;
}

std::string passphrase_in(std::string const& file) {
    try {
        return known_passphrase(text_in(file, "passphrase"));
    } catch (SourceError const& error) {
        throw wrong_key(error.what());
    }
}

// Said once, when it is chosen; it is the user's to decide.
void warn_of_weak(GlobalOptions const& options, Credentials const& credentials) {
    if (!credentials.passphrase || credentials.passphrase->size() >= weak_below) return;
    print_warning(options,
                  "this passphrase is short enough to be guessed: better take four or more "
                  "random words, or a key file");
}

struct ClosePipe {
    void operator()(FILE* pipe) const { ::pclose(pipe); }
};

std::string output_of(std::string const& command, RepositoryFailure failing) {
    std::unique_ptr<FILE, ClosePipe> pipe(::popen(command.c_str(), "re"));
    std::string text;
    std::array<char, 4096> part{};
    while (pipe) {
        std::size_t const size = std::fread(part.data(), 1, part.size(), pipe.get());
        if (size == 0 || text.size() > passphrase_limit) break;
        text.append(part.data(), size);
    }
    int const status = pipe ? ::pclose(pipe.release()) : -1;
    if (status != 0) {
        throw RepositoryError(failing, "the password command failed: " + command);
    }
    return text;
}

struct termios shown_terminal;

// Stopped at the prompt: the terminal must show again what is typed.
void restore_terminal(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_terminal);
    ::signal(signal, SIG_DFL);
    ::raise(signal);
}

// While it lives, a signal that ends the program leaves the terminal as it was.
class PromptSignals {
public:
    PromptSignals() {
        struct sigaction action {};
        action.sa_handler = restore_terminal;
        ::sigaction(SIGINT, &action, &interrupt_);
        ::sigaction(SIGTERM, &action, &terminate_);
    }
    PromptSignals(PromptSignals const&) = delete;
    PromptSignals& operator=(PromptSignals const&) = delete;
    ~PromptSignals() {
        ::sigaction(SIGINT, &interrupt_, nullptr);
        ::sigaction(SIGTERM, &terminate_, nullptr);
    }

private:
    struct sigaction interrupt_ {};
    struct sigaction terminate_ {};
};

// One line of the terminal, not shown.
std::string ask(std::string const& prompt) {
    std::fputs(prompt.c_str(), stderr);
    ::tcgetattr(STDIN_FILENO, &shown_terminal);
    PromptSignals const signals;
    struct termios hidden = shown_terminal;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    // Whoever suspends the program there would find the terminal shown when it goes on.
    hidden.c_cc[VSUSP] = hidden.c_cc[VQUIT] = _POSIX_VDISABLE;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    std::string line;
    std::getline(std::cin, line);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown_terminal);
    std::fputs("\n", stderr);
    return line;
}

bool has_terminal() {
    return ::isatty(STDIN_FILENO) != 0 && ::isatty(STDERR_FILENO) != 0;
}

std::string passphrase_file(GlobalOptions const& options) {
    return !options.password_file.empty() ? options.password_file
                                          : environment("REPO_PASSWORD_FILE");
}

// From options, then the environment; nothing when none is given.
std::optional<std::string> given_passphrase(GlobalOptions const& options) {
    if (!options.password_file.empty() && !options.password_command.empty()) {
        throw std::invalid_argument("--password-file and --password-command exclude each other");
    }
    std::string const command = !options.password_command.empty() || !options.password_file.empty()
                                    ? options.password_command
                                    : environment("REPO_PASSWORD_COMMAND");
    if (!command.empty())
        return known_passphrase(trimmed(output_of(command, RepositoryFailure::wrong_key)));
    std::string const file = passphrase_file(options);
    if (!file.empty()) return passphrase_in(file);
    if (std::getenv("REPO_PASSWORD") != nullptr)
        return known_passphrase(environment("REPO_PASSWORD"));
    return std::nullopt;
}

Credentials given_credentials(GlobalOptions const& options) {
    Credentials credentials;
    credentials.passphrase = given_passphrase(options);
    if (!options.key_file.empty()) credentials.key_file = options.key_file;
    return credentials;
}

std::string default_cache() {
    std::string const xdg = environment("XDG_CACHE_HOME");
    if (!xdg.empty()) return xdg + "/coffre";
    std::string home = environment("HOME");
    if (home.empty()) {
        struct passwd const* const entry = ::getpwuid(::geteuid());
        if (entry != nullptr) home = entry->pw_dir;
    }
    if (home.empty()) throw std::invalid_argument("no home folder: name one with --cache-dir");
    return home + "/.cache/coffre";
}

RepositoryError no_passphrase() {
    return wrong_key(
        "the repository is encrypted, and neither a passphrase nor a key file was given");
}

bool is_absent(std::string const& file) {
    return ::access(file.c_str(), F_OK) != 0 && errno == ENOENT;
}

// A key file that is not there opens nothing: whoever sits at the terminal may know a passphrase.
void drop_absent_key_file(Credentials& credentials) {
    bool const may_ask = !credentials.passphrase && has_terminal();
    if (!may_ask || !credentials.key_file || !is_absent(*credentials.key_file)) return;
    print_error("repo: " + printable(*credentials.key_file) + ": no such key file");
    credentials.key_file.reset();
}

// What other programs would reach over a network must not become a folder of that name here.
std::string require_folder(std::string location) {
    static constexpr std::array schemes{"s3", "sftp",  "ssh",  "rest",  "b2",  "rclone", "azure",
                                        "gs", "swift", "http", "https", "ftp", "file"};
    std::string const scheme = location.substr(0, location.find(':'));
    bool const is_remote = scheme.size() < location.size() &&
                           std::find(schemes.begin(), schemes.end(), scheme) != schemes.end();
    if (!is_remote || std::filesystem::exists(location)) return location;
    throw std::invalid_argument(location +
                                ": a repository is a folder of this machine, or one that is "
                                "mounted here; for a folder of that name write ./" +
                                location);
}

}  // namespace

std::string repository_location(GlobalOptions const& options) {
    std::string location = options.repository;
    std::string file = options.repository_file;
    if (!location.empty() && !file.empty())
        throw std::invalid_argument("--repo and --repository-file exclude each other");
    if (location.empty() && file.empty()) {
        location = environment("REPO_REPOSITORY");
        file = environment("REPO_REPOSITORY_FILE");
    }
    if (!location.empty()) return require_folder(location);
    if (!file.empty()) location = text_in(file, "repository's name");
    if (!location.empty()) return require_folder(location);
    if (!file.empty()) throw std::invalid_argument(file + ": names no repository");
    throw std::invalid_argument("no repository named: use -r FOLDER or REPO_REPOSITORY");
}

std::vector<std::string> paths_never_written(GlobalOptions const& options) {
    return {repository_location(options), options.key_file, passphrase_file(options),
            options.repository_file, environment("REPO_REPOSITORY_FILE")};
}

std::vector<std::string> paths_in_use(GlobalOptions const& options) {
    auto paths = paths_never_written(options);
    paths.push_back(open_options(options).cache_folder);
    return paths;
}

OpenOptions open_options(GlobalOptions const& options, Purpose purpose) {
    OpenOptions open;
    open.cache_folder = options.cache_folder.empty() ? default_cache() : options.cache_folder;
    // A check names what is missing instead of refusing to look.
    open.accept_rollback = options.accept_rollback;
    open.report_rollback = purpose == Purpose::check && !options.accept_rollback;
    if (purpose != Purpose::check) {
        open.warn = [&options](std::string const& message) { print_warning(options, message); };
    }
    return open;
}

std::shared_ptr<Repository> open(GlobalOptions const& options, Purpose purpose) {
    std::string const location = repository_location(options);
    OpenOptions const how = open_options(options, purpose);
    Credentials credentials = given_credentials(options);
    bool const is_encrypted = repository_mode_at(location) == Mode::encrypted;
    if (is_encrypted) drop_absent_key_file(credentials);
    if (!credentials.empty() || !is_encrypted) {
        return open_repository(location, credentials, how);
    }
    if (!has_terminal()) throw no_passphrase();
    for (int attempt = 1;; ++attempt) {
        credentials.passphrase = ask("passphrase of " + printable(location) + ": ");
        try {
            return open_repository(location, credentials, how);
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::wrong_key || attempt == prompt_tries) throw;
            print_error(printable(error.what()) + "; try again");
        }
    }
}

namespace {

Credentials ask_twice(char const* prompt) {
    Credentials credentials;
    credentials.passphrase = new_passphrase(ask(prompt));
    if (ask("once more: ") != *credentials.passphrase) {
        throw std::invalid_argument("the two passphrases differ");
    }
    return credentials;
}

}  // namespace

Credentials credentials_for_new(GlobalOptions const& options) {
    Credentials credentials = given_credentials(options);
    if (credentials.empty() && !has_terminal()) {
        throw RepositoryError(RepositoryFailure::wrong_key,
                              "a new repository needs a passphrase or a key file "
                              "(or --encryption none)");
    }
    if (credentials.empty()) credentials = ask_twice("passphrase of the new repository: ");
    warn_of_weak(options, credentials);
    return credentials;
}

bool gives_two_keys(GlobalOptions const& options) {
    bool const gives_passphrase =
        !options.password_command.empty() || !environment("REPO_PASSWORD_COMMAND").empty() ||
        !passphrase_file(options).empty() || std::getenv("REPO_PASSWORD") != nullptr;
    return gives_passphrase && !options.key_file.empty();
}

Credentials new_credentials(GlobalOptions const& options, NewKeySource const& source) {
    int const given = int{!source.password_file.empty()} + int{!source.password_command.empty()} +
                      int{!source.key_file.empty()};
    if (given > 1) throw std::invalid_argument("give one new key at a time");
    if (given == 0 && !has_terminal()) {
        throw std::invalid_argument(
            "no new key: use --new-password-file, --new-password-command, "
            "--new-key-file or --recovery");
    }
    Credentials credentials;
    if (!source.key_file.empty()) {
        credentials.key_file = source.key_file;
    } else if (!source.password_file.empty()) {
        credentials.passphrase =
            new_passphrase(trimmed(read_text_file(source.password_file, "new passphrase")));
    } else if (!source.password_command.empty()) {
        credentials.passphrase =
            new_passphrase(trimmed(output_of(source.password_command, RepositoryFailure::failed)));
    } else {
        credentials = ask_twice("new passphrase: ");
    }
    warn_of_weak(options, credentials);
    return credentials;
}

int compression_level(std::string const& name) {
    static std::map<std::string, int> const levels{
        {"off", 0}, {"fast", -1}, {"auto", 1}, {"better", 6}, {"max", 19}};
    auto const found = levels.find(name);
    if (found == levels.end()) {
        throw std::invalid_argument("--compression: off, fast, auto, better or max");
    }
    return found->second;
}

std::string check_text(std::string const& text) {
    if (text.size() <= limits::text_size) return "";
    return "at most " + std::to_string(limits::text_size) + " bytes";
}

std::string check_tag(std::string const& text) {
    return text.empty() ? "a tag has at least one character" : check_text(text);
}

std::string absolute_path(std::string const& path) {
    auto const normal = std::filesystem::absolute(path).lexically_normal().string();
    return normal.size() > 1 && normal.ends_with('/') ? normal.substr(0, normal.size() - 1)
                                                      : normal;
}

void add_filter(CLI::App& command, SnapshotFilter& filter) {
    command.add_option("-H,--host", filter.hosts, "only snapshots of this host (repeatable: any)");
    command.add_option("--path", filter.paths, "only snapshots of this path (repeatable)")
        ->transform(absolute_path);
    command.add_option("--tag", filter.tags,
                       "only snapshots with this tag (a,b: both; '': with none; repeatable: any)");
}

}  // namespace coffre::cli
