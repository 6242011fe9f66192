// What every command shares: the options before its own, and how it opens the repository.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "engine/repository.h"
#include "engine/snapshots.h"

namespace coffre::cli {

struct GlobalOptions {
    std::string repository;
    std::string repository_file;
    std::string password_file;
    std::string password_command;
    std::string key_file;
    std::string cache_folder;
    unsigned threads = 0;
    int verbose = 0;
    bool quiet = false;
    bool json = false;
    bool accept_rollback = false;
};

// Filled while the command line is read; `run` is the chosen command and returns the exit code.
struct Context {
    GlobalOptions options;
    std::string command;  // its name
    std::size_t words_after_dashes = 0;
    std::function<int()> run;
};

namespace exit_code {
inline constexpr int ok = 0;
inline constexpr int failed = 1;
inline constexpr int usage = 2;
inline constexpr int incomplete = 3;  // saved, but some source could not be read
inline constexpr int integrity = 20;
}  // namespace exit_code

// Empty when the variable is not set.
std::string environment(char const* name);

// Throws std::invalid_argument when no repository is named.
std::string repository_location(GlobalOptions const& options);

// What must be there to open the repository again: its folder, the cache, and the files that hold
// its keys. Some may not be there.
std::vector<std::string> paths_in_use(GlobalOptions const& options);
// Those of them that nothing is restored over; the cache is made anew when it is wrong.
std::vector<std::string> paths_never_written(GlobalOptions const& options);

// Asks on the terminal when no credentials are given and the repository is encrypted.
enum class Purpose { use, check };
std::shared_ptr<Repository> open(GlobalOptions const& options, Purpose purpose = Purpose::use);

// The passphrase or key file given; for a new repository asked for twice.
Credentials credentials_for_new(GlobalOptions const& options);

// Where a further key comes from; asked for twice on the terminal when nothing is given.
struct NewKeySource {
    std::string password_file;
    std::string password_command;
    std::string key_file;

    bool empty() const {
        return password_file.empty() && password_command.empty() && key_file.empty();
    }
};
// Whether options or the environment give both a passphrase and a key file.
bool gives_two_keys(GlobalOptions const& options);
// Throws std::invalid_argument when more than one is given.
Credentials new_credentials(GlobalOptions const& options, NewKeySource const& source);
OpenOptions open_options(GlobalOptions const& options, Purpose purpose = Purpose::use);

// The zstd level that goes by this name; 0 for none. Throws std::invalid_argument.
int compression_level(std::string const& name);

// What is wrong with a text that a snapshot is to hold, for CLI::Option::check; else empty.
std::string check_text(std::string const& text);
// The same for a tag.
std::string check_tag(std::string const& text);

// As snapshots record it, without a slash at the end.
std::string absolute_path(std::string const& path);

// Options that narrow a search for a snapshot.
void add_filter(CLI::App& command, SnapshotFilter& filter);

std::string version_text();

void add_init(CLI::App& app, Context& context);
void add_snapshot(CLI::App& app, Context& context);
void add_snapshots(CLI::App& app, Context& context);
void add_ls(CLI::App& app, Context& context);
void add_diff(CLI::App& app, Context& context);
void add_find(CLI::App& app, Context& context);
void add_log(CLI::App& app, Context& context);
void add_restore(CLI::App& app, Context& context);
void add_cat(CLI::App& app, Context& context);
void add_dump(CLI::App& app, Context& context);
void add_check(CLI::App& app, Context& context);
void add_stats(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_forget(CLI::App& app, Context& context);
void add_prune(CLI::App& app, Context& context);
void add_tag(CLI::App& app, Context& context);
void add_copy(CLI::App& app, Context& context);
void add_repair(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

}  // namespace coffre::cli
