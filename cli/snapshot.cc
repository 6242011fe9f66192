// repo snapshot: save paths and streams as one moment.
#include "engine/snapshot.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "cli/patterns.h"
#include "cli/progress_display.h"
#include "cli/snapshot_warnings.h"

namespace coffre::cli {

namespace {

struct SnapshotArguments {
    std::vector<std::string> paths;
    std::vector<std::string> files_from;
    std::vector<std::string> files_from_raw;
    std::vector<std::string> excludes;
    std::vector<std::string> exclude_files;
    std::vector<std::string> if_present;
    std::vector<std::string> tags;
    std::vector<std::string> streams;
    std::string larger_than;
    std::string host;
    std::string time;
    std::string parent;
    std::optional<std::string> stdin_filename;
    std::string compression = "auto";
    bool exclude_caches = false;
    bool one_file_system = false;
    bool dry_run = false;
    bool force = false;
    bool skip_if_unchanged = false;
    bool require_offsite = false;
    bool from_stdin = false;
    bool from_command = false;
    std::size_t words_after_dashes = 0;
};

constexpr char const* blanks = " \t\r";

// NAME or NAME:TEXT
FolderTag parse_tag(std::string const& text) {
    std::size_t const colon = text.find(':');
    if (colon == std::string::npos) return {text, ""};
    return {text.substr(0, colon), text.substr(colon + 1)};
}

// Each folder holds ".", and what has a slash may be anywhere.
std::string check_tag_file(std::string const& text) {
    std::string const name = parse_tag(text).name;
    bool const is_name =
        !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
    return is_name ? "" : "\"" + name + "\" is no name of a file";
}

constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

// All that `file` holds, in parts.
std::vector<std::string> split(std::istream& file, char separator) {
    std::vector<std::string> items;
    for (std::string item; std::getline(file, item, separator);) items.push_back(std::move(item));
    return items;
}

// Without comments, and what editors of other systems add.
void tidy(std::vector<std::string>& lines) {
    bool const is_marked = !lines.empty() && lines[0].starts_with(byte_order_mark);
    if (is_marked) lines[0].erase(0, byte_order_mark.size());
    std::erase_if(lines, [](std::string const& line) { return line.starts_with('#'); });
    for (auto& line : lines) {
        if (line.ends_with('\r')) line.pop_back();
    }
}

std::vector<std::string> read_list(std::string const& path, char separator) {
    bool const is_stdin = path == "-";
    std::ifstream named;
    if (!is_stdin) named.open(path);
    if (!named)
        throw SourceError(path,
                          path + ": cannot be read: " + std::generic_category().message(errno));
    auto items = split(is_stdin ? std::cin : named, separator);
    if (is_stdin ? std::ferror(stdin) != 0 : named.bad())
        throw SourceError(path, path + ": cannot be read to its end");
    if (separator == '\n') tidy(items);
    std::erase(items, "");
    return items;
}

std::string without_blanks(std::string const& line) {
    std::size_t const first = line.find_first_not_of(blanks);
    if (first == std::string::npos) return "";
    return line.substr(first, line.find_last_not_of(blanks) + 1 - first);
}

void append(std::vector<std::string>& to, std::vector<std::string> const& more) {
    to.insert(to.end(), more.begin(), more.end());
}

bool reads_list_from_stdin(SnapshotArguments const& arguments) {
    auto const is_stdin = [](auto const& files) {
        return std::find(files.begin(), files.end(), "-") != files.end();
    };
    return is_stdin(arguments.files_from) || is_stdin(arguments.files_from_raw) ||
           is_stdin(arguments.exclude_files);
}

std::string stdin_name(SnapshotArguments const& arguments) {
    return arguments.stdin_filename.value_or("stdin");
}

bool has_streams(SnapshotArguments const& arguments) {
    return !arguments.streams.empty() || arguments.from_stdin || arguments.from_command;
}

void check_streams(SnapshotArguments const& arguments) {
    for (auto const& stream : arguments.streams) {
        std::size_t const equals = stream.find('=');
        if (equals == std::string::npos || equals == 0) {
            throw std::invalid_argument("--stream: write NAME=COMMAND");
        }
        if (stream.find_first_not_of(blanks, equals + 1) == std::string::npos) {
            throw std::invalid_argument("--stream: \"" + stream + "\" has no command");
        }
    }
    if (arguments.stdin_filename && !arguments.from_stdin && !arguments.from_command)
        throw std::invalid_argument(
            "--stdin-filename names what --stdin or --stdin-from-command saves: add one of them");
    if (arguments.from_stdin && reads_list_from_stdin(arguments))
        throw std::invalid_argument("--stdin: standard input is read as a list already");
    bool const is_command_alone =
        !arguments.paths.empty() && arguments.paths.size() == arguments.words_after_dashes;
    if (arguments.from_command && !is_command_alone)
        throw std::invalid_argument(
            "--stdin-from-command: write nothing but the command, after --; other paths and "
            "commands go with --stream");
}

// When all else is known to be right: a dump may take a lock, or an hour.
std::vector<std::unique_ptr<StreamSource>> started_streams(SnapshotArguments const& arguments) {
    std::vector<std::unique_ptr<StreamSource>> streams;
    for (auto const& stream : arguments.streams) {
        std::size_t const equals = stream.find('=');
        streams.push_back(stream_from_command(stream.substr(0, equals),
                                              {"/bin/sh", "-c", stream.substr(equals + 1)}));
    }
    if (arguments.from_stdin)
        streams.push_back(stream_from_fd(stdin_name(arguments), STDIN_FILENO));
    if (arguments.from_command)
        streams.push_back(stream_from_command(stdin_name(arguments), arguments.paths));
    return streams;
}

void add_paths(SnapshotRequest& request, SnapshotArguments const& arguments) {
    check_streams(arguments);
    if (!arguments.from_command) request.paths = arguments.paths;
    for (auto const& file : arguments.files_from) append(request.paths, read_list(file, '\n'));
    for (auto const& file : arguments.files_from_raw) append(request.paths, read_list(file, '\0'));
    bool const names_nothing = request.paths.empty() && !has_streams(arguments) &&
                               arguments.files_from.empty() && arguments.files_from_raw.empty();
    if (names_nothing) throw std::invalid_argument("nothing to save: name a path or a stream");
    for (auto const& path : request.paths) {
        if (path.empty()) throw std::invalid_argument("an empty path names nothing to save");
    }
}

PatternList exclude_patterns(SnapshotArguments const& arguments) {
    PatternList patterns;
    for (auto const& pattern : arguments.excludes) add_pattern(patterns, pattern);
    for (auto const& file : arguments.exclude_files) {
        for (auto const& line : read_list(file, '\n')) {
            auto const pattern = without_blanks(line);
            if (!pattern.empty()) add_pattern(patterns, pattern);
        }
    }
    return patterns;
}

SnapshotRequest make_request(GlobalOptions const& options, SnapshotArguments const& arguments) {
    SnapshotRequest request;
    add_paths(request, arguments);
    request.exclude.patterns = exclude_patterns(arguments);
    if (arguments.exclude_caches) request.exclude.tags.push_back(FolderTag::of_caches());
    for (auto const& text : arguments.if_present) {
        request.exclude.tags.push_back(parse_tag(text));
    }
    if (!arguments.larger_than.empty()) {
        request.exclude.larger_than = parse_size(arguments.larger_than);
    }
    request.exclude.other_file_systems = arguments.one_file_system;
    request.host = arguments.host;
    request.tags = arguments.tags;
    if (!arguments.time.empty()) request.time_ns = parse_time(arguments.time);
    if (arguments.force && !arguments.parent.empty())
        throw std::invalid_argument("--force and --parent exclude each other");
    if (arguments.force && arguments.skip_if_unchanged)
        throw std::invalid_argument(
            "--force and --skip-if-unchanged exclude each other: without a parent nothing is known "
            "to be unchanged");
    if (arguments.force) request.parent = ParentChoice::none;
    if (!arguments.parent.empty()) {
        request.parent = ParentChoice::given;
        request.parent_name = arguments.parent;
    }
    request.dry_run = arguments.dry_run;
    request.skip_if_unchanged = arguments.skip_if_unchanged;
    request.compression_level = compression_level(arguments.compression);
    request.threads = options.threads;
    return request;
}

void print_summary(GlobalOptions const& options, SnapshotArguments const& arguments,
                   SnapshotResult const& result, double seconds) {
    Statistics const& s = result.snapshot.statistics;
    if (options.json) {
        auto document =
            snapshot_json({result.id.value_or(SessionId{}), result.snapshot})["summary"];
        document["message_type"] = "summary";
        document["dry_run"] = arguments.dry_run;
        document["total_duration"] = seconds;
        document["unchanged"] = result.unchanged;
        if (result.id) document["snapshot_id"] = result.id->hex();
        return print(document.dump());
    }
    if (options.quiet) return;
    std::uint64_t const links = s.files - s.files_new - s.files_changed - s.files_unmodified;
    print(fmt::format(
        "files     {}: {} new, {} changed, {} unmodified{}", number_text(s.files),
        number_text(s.files_new), number_text(s.files_changed), number_text(s.files_unmodified),
        links > 0 ? fmt::format(", {} hard links to these", number_text(links)) : ""));
    print(fmt::format("data      {}, of which {} read; {} new, {} stored", size_text(s.bytes),
                      size_text(s.bytes_read), size_text(s.bytes_added),
                      size_text(s.bytes_stored)));
    auto const rate = static_cast<double>(s.bytes_read) / std::max(seconds, 0.001);
    print(fmt::format("time      {}, {} read a second", duration_text(seconds),
                      size_text(static_cast<std::uint64_t>(rate))));
    if (result.id) {
        print("snapshot  " + result.id->hex().substr(0, 8) + " saved");
    } else {
        print(arguments.dry_run ? "dry run: nothing was saved" : "unchanged: no snapshot was made");
    }
}

std::optional<std::pair<dev_t, ino_t>> folder_of_repository(GlobalOptions const& options) {
    struct stat status {};
    if (::stat(repository_location(options).c_str(), &status) != 0) return std::nullopt;
    return std::pair(status.st_dev, status.st_ino);
}

int run_snapshot(GlobalOptions const& options, SnapshotArguments const& arguments) {
    auto const repository = open(options);
    SnapshotRequest request = make_request(options, arguments);
    bool const is_beside = look_at_file_systems(options, arguments.require_offsite, request.paths);
    request.exclude.refuses_beside = arguments.require_offsite;
    request.exclude.repository = folder_of_repository(options);
    warn_of_links(options, request.paths);
    request.streams = started_streams(arguments);
    Progress progress;
    SnapshotResult result;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        result = take_snapshot(*repository, request, progress);
        seconds = display.seconds();
    }
    if (!is_beside && !result.beside.empty()) warn_of_same_disk(options, {result.beside});
    if (!options.quiet) warn_of_exclusions(options, result);
    print_summary(options, arguments, result, seconds);
    if (result.snapshot.failure_count == 0) return exit_code::ok;
    if (!options.json) {
        print_error("repo: " + unread_text(result.snapshot) +
                    (arguments.dry_run ? "" : "; the rest is saved"));
    }
    return exit_code::incomplete;
}

void add_options(CLI::App& command, SnapshotArguments& a) {
    command.add_option("paths", a.paths, "files and folders to save");
    command.add_option("--files-from", a.files_from,
                       "file with a path a line, # begins a comment (repeatable)");
    command.add_option("--files-from-raw", a.files_from_raw, "the same, paths end in NUL");
    command
        .add_option("-e,--exclude", a.excludes,
                    "leave out what matches (repeatable; * ? [] ** and !; ./ is the working "
                    "folder); the repository itself is left out anyway")
        ->allow_extra_args(false);
    command.add_option("--exclude-file", a.exclude_files,
                       "file with a pattern a line (repeatable)");
    command.add_flag("--exclude-caches", a.exclude_caches,
                     "leave out contents of folders with a CACHEDIR.TAG");
    command
        .add_option("--exclude-if-present", a.if_present,
                    "leave out contents of folders that hold this file (NAME:TEXT: that begins "
                    "with TEXT)")
        ->check(check_tag_file);
    command.add_option("--exclude-larger-than", a.larger_than,
                       "leave out files above this size (10M)");
    command.add_flag("-x,--one-file-system", a.one_file_system,
                     "stay on the file systems of the paths");
    command.add_option("--tag", a.tags, "tag for the snapshot (repeatable; a,b: two)")
        ->delimiter(',')
        ->check(check_tag);
    command.add_option("-H,--host", a.host, "host name to record")->check(check_text);
    command.add_option("--time", a.time, "time to record (default: now)");
    command.add_option(
        "--parent", a.parent,
        "snapshot to compare with (default: the newest of the same host and paths, or the "
        "one of the host that has most of them)");
    command.add_flag("-f,--force", a.force, "read every file, compare with no parent");
    command.add_flag("-n,--dry-run", a.dry_run, "save nothing, say what would be");
    command.add_flag("--skip-if-unchanged", a.skip_if_unchanged,
                     "no snapshot when nothing changed");
    command.add_flag(
        "--require-offsite", a.require_offsite,
        "save nothing when the repository is on the file system of a path, or of a file "
        "beneath one");
    command.add_flag("--stdin", a.from_stdin, "save standard input as a file");
    command.add_option("--stdin-filename", a.stdin_filename, "its name (stdin)");
    command.add_flag("--stdin-from-command", a.from_command,
                     "save the output of the command after --");
    command
        .add_option("--stream", a.streams,
                    "NAME=COMMAND: save the command's output (repeatable; run in parallel)")
        ->allow_extra_args(false);
    command.add_option("--compression", a.compression, "off, fast, auto, better or max")
        ->envname("REPO_COMPRESSION");
}

}  // namespace

void add_snapshot(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("snapshot", "save files, folders and streams");
    command->alias("backup");
    auto const arguments = std::make_shared<SnapshotArguments>();
    add_options(*command, *arguments);
    command->footer(R"(Examples:
  repo snapshot /srv/media /etc/app --exclude '*.tmp' --exclude-caches
  repo snapshot --stream app.sql='mysqldump --single-transaction app' /srv/media
  repo snapshot --stdin-filename db.sql --stdin-from-command -- pg_dump app
  repo snapshot -n -vv /srv/media                     names every file, saves nothing

A command that fails leaves no snapshot (exit code 22). Files that cannot be read are named, and the
rest is saved (exit code 3). A path that is named itself is saved, whatever the exclusions say. A
folder that is excluded is not entered: to keep one thing of it, with all that is in it, write
--exclude 'folder/**' --exclude '!folder/keep'.)");
    command->callback([&context, arguments] {
        arguments->words_after_dashes = context.words_after_dashes;
        context.run = [&context, arguments] { return run_snapshot(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
