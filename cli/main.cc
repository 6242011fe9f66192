// The program: options, the choice of a command, and what its failure means for the exit code.
#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "cli/advice.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/suggest.h"
#include "cli/words.h"
#include "engine/error.h"

namespace coffre::cli {

namespace {

constexpr char const* examples = R"(Examples:
  repo init -r /mnt/backup/media
  repo snapshot -r /mnt/backup/media /srv/media /etc/app
  repo snapshot -r /mnt/backup/media --stream db.sql='mysqldump --single-transaction app' /srv/media
  repo restore -r /mnt/backup/media latest -t /srv/restored
  repo check -r /mnt/backup/media --read-data

Environment: REPO_REPOSITORY, REPO_REPOSITORY_FILE, REPO_FROM_REPOSITORY, REPO_PASSWORD,
REPO_PASSWORD_FILE, REPO_PASSWORD_COMMAND, REPO_KEY_FILE, REPO_CACHE_DIR, REPO_COMPRESSION,
REPO_PROGRESS_FPS.
Options win over the environment.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 saved but some sources could not be read whole,
10 no repository, 11 repository cannot be used, 12 wrong passphrase or key file, 20 damage found,
21 no space, 22 a stream's command failed, 27 the repository went back in time, 130 interrupted.)";

void add_global_options(CLI::App& app, GlobalOptions& options) {
    app.add_option("-r,--repo", options.repository,
                   "the repository: a folder (or REPO_REPOSITORY)");
    app.add_option("--repository-file", options.repository_file,
                   "file that names the repository (or REPO_REPOSITORY_FILE)");
    app.add_option("-p,--password-file", options.password_file, "file that holds the passphrase");
    app.add_option("--password-command", options.password_command,
                   "shell command that prints the passphrase");
    app.add_option("--key-file", options.key_file, "key file (32 bytes; `init` makes it)")
        ->envname("REPO_KEY_FILE");
    app.add_option("--cache-dir", options.cache_folder, "folder for the index of this machine")
        ->envname("REPO_CACHE_DIR");
    app.add_option("--threads", options.threads, "workers (default: one for each processor)")
        ->check(CLI::Range(0, 256));
    app.add_flag("-v,--verbose", options.verbose, "say more (twice: name every file)");
    app.add_flag("-q,--quiet", options.quiet, "print errors and warnings only");
    app.add_flag("--json", options.json, "print JSON, one document a line");
    app.add_flag("--accept-rollback", options.accept_rollback,
                 "go on with a repository that is older than when it was last seen");
}

int report(GlobalOptions const& options, int code, std::string const& message,
           std::string const& advice) {
    if (options.json) {
        nlohmann::json document{{"message_type", "exit_error"}, {"code", code}};
        put_text(document, "message", message);
        if (!advice.empty()) document["advice"] = advice;
        print_error(document.dump());
    } else {
        print_error("repo: " + printable(message));
        if (!advice.empty()) print_error("      " + advice);
    }
    return code;
}

int run(Context const& context) {
    GlobalOptions const& options = context.options;
    try {
        return context.run();
    } catch (RepositoryError const& error) {
        return report(options, exit_code_of(error.kind()), error.what(),
                      advice_for(error.kind(), context.command));
    } catch (NoRoomError const& error) {
        auto const kind = RepositoryFailure::no_space;
        return report(options, exit_code_of(kind), error.what(), advice_for(kind, context.command));
    } catch (SourceError const& error) {
        return report(options, exit_code::failed, error.what(), "");
    } catch (std::invalid_argument const& error) {
        return report(options, exit_code::usage, error.what(), "See `repo --help`.");
    } catch (std::filesystem::filesystem_error const& error) {
        return report(options, exit_code::failed,
                      error.path1().string() + ": " + error.code().message(), "");
    } catch (std::bad_alloc const&) {
        return report(options, exit_code::failed, "out of memory", "Fewer --threads need less.");
    } catch (std::exception const& error) {
        return report(options, exit_code::failed, error.what(), "");
    }
}

// What is opened next would be taken for the standard streams, and messages written to it.
void fill_standard_streams() {
    for (int fd = 0; fd <= 2; ++fd) {
        // Whoever uses it is told that it cannot be.
        int const useless = fd == 0 ? O_WRONLY : O_RDONLY;
        if (::fcntl(fd, F_GETFD) < 0 && ::open("/dev/null", useless) < 0) std::abort();
    }
}

// Secrets stay out of core files; large buffers are kept for the next use; every file that may be
// open at once is allowed to be; and how commands ended is told, also when whoever started this
// process did not want to know it of his own.
void prepare_process() {
    fill_standard_streams();
    ::signal(SIGCHLD, SIG_DFL);
    ::prctl(PR_SET_DUMPABLE, 0);
    struct rlimit const no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    struct rlimit files {};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
    ::mallopt(M_TRIM_THRESHOLD, 256 << 20);
    ::mallopt(M_ARENA_MAX, 1);
}

// Folders are walked by recursion: this stack holds the deepest tree that the format allows. Only
// what is used of it takes memory.
constexpr std::size_t stack_size = std::size_t{512} << 20U;

struct Call {
    Context const& context;
    int code = exit_code::failed;
};

void* run_call(void* argument) {
    auto* const call = static_cast<Call*>(argument);
    call->code = run(call->context);
    return nullptr;
}

int run_on_large_stack(Context const& context) {
    Call call{context};
    pthread_attr_t attributes;
    pthread_t thread{};
    ::pthread_attr_init(&attributes);
    ::pthread_attr_setstacksize(&attributes, stack_size);
    int const error = ::pthread_create(&thread, &attributes, run_call, &call);
    ::pthread_attr_destroy(&attributes);
    if (error != 0) return run(context);
    ::pthread_join(thread, nullptr);
    return call.code;
}

int print_help(CLI::App const& app, std::vector<std::string> const& names) {
    CLI::App const* command = &app;
    std::string above;
    for (auto const& name : names) {
        auto const inner = command->get_subcommands(
            [&](CLI::App const* candidate) { return candidate->check_name(name); });
        if (inner.empty()) throw std::invalid_argument("no such command: " + name);
        above += (above.empty() ? "" : " ") + command->get_name();
        command = inner.front();
    }
    // Else it would be the help of `help`, which was chosen.
    print(names.empty()
              ? app.get_formatter()->make_help(&app, app.get_name(), CLI::AppFormatMode::Normal)
              : command->help(above));
    return exit_code::ok;
}

void add_help(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("help", "describe a command");
    auto const names = std::make_shared<std::vector<std::string>>();
    command->add_option("command", *names, "which (default: all, in short)");
    command->callback([&app, &context, names] {
        context.run = [&app, names] { return print_help(app, *names); };
    });
}

}  // namespace

int main(int argc, char** argv) {
    prepare_process();
    CLI::App app{"Coffre: backups of media stores and databases, deduplicated and encrypted",
                 "repo"};
    Context context;
    add_global_options(app, context.options);
    app.footer(examples);
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.fallthrough();
    for (auto const add : {add_init,  add_snapshot, add_snapshots, add_ls,    add_diff,  add_find,
                           add_log,   add_restore,  add_cat,       add_dump,  add_check, add_repair,
                           add_stats, add_status,   add_forget,    add_prune, add_tag,   add_copy,
                           add_key,   add_bench,    add_version,   add_help}) {
        add(app, context);
    }
    restrict_options(app);
    try {
        auto words = words_of(argc, argv);
        context.words_after_dashes = words_after_dashes(argc, argv);
        app.parse(words);
    } catch (CLI::Success const& help) {
        return app.exit(help);
    } catch (CLI::ParseError const& error) {
        // The parser may have stopped before it.
        auto const is_json = [](char const* argument) { return argument == std::string("--json"); };
        context.options.json = std::any_of(argv, argv + argc, is_json);
        if (std::string const unknown = unknown_word(app); !unknown.empty()) {
            return report(context.options, exit_code::usage, unknown, "See `repo --help`.");
        }
        auto const chosen = app.get_subcommands();
        std::string const command = chosen.empty() ? "" : chosen.front()->get_name() + " ";
        return report(context.options, exit_code::usage, readable(error.what()),
                      "See `repo " + command + "--help`.");
    }
    context.command = app.get_subcommands().front()->get_name();
    return run_on_large_stack(context);
}

}  // namespace coffre::cli

int main(int argc, char** argv) {
    return coffre::cli::main(argc, argv);
}
