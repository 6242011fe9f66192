// repo restore: bring files back.
#include "engine/restore.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "cli/patterns.h"
#include "cli/progress_display.h"

namespace coffre::cli {

namespace {

struct RestoreArguments {
    std::string snapshot = "latest";
    std::string target;
    std::vector<std::string> include;
    std::vector<std::string> exclude;
    std::string overwrite = "always";
    SnapshotFilter filter;
    bool delete_extra = false;
    bool verify = false;
    bool sparse = false;
    bool privileged = false;
    bool numeric_ids = false;
    bool dry_run = false;
};

RestoreRequest make_request(GlobalOptions const& options, RestoreArguments const& arguments,
                            FoundSnapshot from) {
    static std::map<std::string, Overwrite> const modes{{"always", Overwrite::always},
                                                        {"if-changed", Overwrite::if_changed},
                                                        {"if-newer", Overwrite::if_newer},
                                                        {"never", Overwrite::never}};
    RestoreRequest request;
    request.from = std::move(from);
    request.target = arguments.target;
    for (auto const& pattern : arguments.include)
        add_restore_pattern(request.include, pattern, request.target);
    for (auto const& pattern : arguments.exclude)
        add_restore_pattern(request.exclude, pattern, request.target);
    request.overwrite = modes.at(arguments.overwrite);
    request.delete_extra = arguments.delete_extra;
    request.never_deleted = paths_in_use(options);
    request.never_written = paths_never_written(options);
    request.verify = arguments.verify;
    request.sparse = arguments.sparse;
    request.privileged = arguments.privileged;
    request.numeric_ids = arguments.numeric_ids;
    request.dry_run = arguments.dry_run;
    request.threads = options.threads;
    return request;
}

void print_json_summary(FoundSnapshot const& from, RestoreResult const& result, double seconds,
                        bool dry_run) {
    print(nlohmann::json{{"message_type", "summary"},
                         {"snapshot_id", from.id.hex()},
                         {"failures", from.snapshot.failure_count},
                         {"total_files", result.files},
                         {"files_restored", result.files_restored},
                         {"files_unchanged", result.files_unchanged},
                         {"files_skipped", result.files_skipped},
                         {"files_deleted", result.files_deleted},
                         {"files_verified", result.files_verified},
                         {"files_damaged", result.damaged.size()},
                         {"files_failed", result.failures.size()},
                         {"withheld_set_ids", result.withheld.set_ids},
                         {"withheld_devices", result.withheld.devices},
                         {"withheld_attributes", result.withheld.attributes},
                         {"total_bytes", result.bytes},
                         {"bytes_restored", result.bytes_written},
                         {"bytes_to_restore", result.bytes_foreseen},
                         {"dry_run", dry_run},
                         {"seconds_elapsed", seconds}}
              .dump());
}

void print_summary(RestoreArguments const& arguments, RestoreResult const& result, double seconds) {
    char const* const would = arguments.dry_run ? "would be " : "";
    print(fmt::format("files     {}: {} {}restored, {} unchanged, {} skipped{}",
                      number_text(result.files), number_text(result.files_restored), would,
                      number_text(result.files_unchanged), number_text(result.files_skipped),
                      result.files_deleted > 0
                          ? fmt::format("; {} {}deleted", number_text(result.files_deleted), would)
                          : ""));
    print(fmt::format("data      {} of {} {}written",
                      size_text(result.bytes_written + result.bytes_foreseen),
                      size_text(result.bytes), would));
    if (arguments.verify && !arguments.dry_run)
        print(fmt::format("verified  {} files", number_text(result.files_verified)));
    double const rate = static_cast<double>(result.bytes) / std::max(seconds, 0.001);
    print(fmt::format("time      {}, {}", duration_text(seconds), rate_text(rate)));
    if (arguments.dry_run) print("dry run: nothing was changed");
}

// Not an error, but nobody should have to find out later.
void print_withheld(Withheld const& withheld, bool is_privileged) {
    if (!withheld.any()) return;
    print_error(
        fmt::format("repo: left out, since it gives rights: set-id bits of {} files, {} "
                    "device files, {} attributes; {}",
                    number_text(withheld.set_ids), number_text(withheld.devices),
                    number_text(withheld.attributes),
                    is_privileged ? "only root can give files their owners, who would have them"
                                  : "--privileged restores them"));
}

// The newest of all may not be what is meant.
void print_choice(RestoreArguments const& arguments, SnapshotList const& list,
                  FoundSnapshot const& from) {
    print(fmt::format("snapshot  {} of {}, {}: {}", from.id.hex().substr(0, 8),
                      time_text(from.snapshot.time_ns), printable(from.snapshot.host),
                      joined(sources_of(from.snapshot), ",")));
    auto const is_of_others = [&](NamedSnapshot const& named) {
        return named.snapshot.host != from.snapshot.host ||
               sources_of(named.snapshot) != sources_of(from.snapshot);
    };
    bool const has_others = std::any_of(list.snapshots.begin(), list.snapshots.end(), is_of_others);
    bool const is_chosen =
        !arguments.snapshot.starts_with("latest") || !arguments.filter.is_empty();
    if (!has_others || is_chosen) return;
    print("note: there are snapshots of other hosts or paths, too: --host, --path or an ID choose");
}

void warn_of_incomplete(GlobalOptions const& options, Snapshot const& snapshot) {
    if (snapshot.failure_count == 0) return;
    print_warning(options, "this snapshot is incomplete: " + unread_text(snapshot) +
                               " when it was made; `repo snapshots` shows others");
}

int run_restore(GlobalOptions const& options, RestoreArguments const& arguments) {
    auto const repository = open(options);
    auto const list = list_snapshots(*repository);
    auto const request =
        make_request(options, arguments, find_snapshot(list, arguments.snapshot, arguments.filter));
    for (auto const& message : list.damaged) print_warning(options, message);
    if (!options.json && !options.quiet) print_choice(arguments, list, request.from);
    warn_of_incomplete(options, request.from.snapshot);
    Progress progress;
    bool const is_all =
        request.from.sub_path.empty() && arguments.include.empty() && arguments.exclude.empty();
    if (is_all) progress.total_bytes = request.from.snapshot.statistics.bytes;
    RestoreResult result;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        result = restore_snapshot(*repository, request, progress);
        seconds = display.seconds();
    }
    if (options.json) {
        print_json_summary(request.from, result, seconds, arguments.dry_run);
    } else if (!options.quiet) {
        print_summary(arguments, result, seconds);
    }
    if (!options.json) print_withheld(result.withheld, arguments.privileged);
    if (!result.damaged.empty()) {
        print_failure(options, fmt::format("damaged in the repository and not restored: {}",
                                           number_text(result.damaged.size())));
        return exit_code::integrity;
    }
    if (!result.failures.empty()) {
        print_failure(options,
                      fmt::format("could not be written: {}", number_text(result.failures.size())));
        return exit_code::failed;
    }
    bool const is_nothing = result.files + result.directories + result.others == 0;
    if (arguments.include.empty() || !is_nothing) return exit_code::ok;
    print_failure(options,
                  "nothing in the snapshot matches --include: patterns are compared with "
                  "paths as `repo ls` shows them");
    return exit_code::failed;
}

void add_options(CLI::App& command, RestoreArguments& a) {
    command.add_option("snapshot", a.snapshot, "ID, latest, latest~N, latest@TIME; with :PATH");
    command.add_option("-t,--target", a.target, "folder to restore into")->required();
    command.add_option("-i,--include", a.include, "only what matches (repeatable)")
        ->allow_extra_args(false);
    command.add_option("-e,--exclude", a.exclude, "not what matches (repeatable)")
        ->allow_extra_args(false);
    command
        .add_option("--overwrite", a.overwrite,
                    "files that are there: always, if-changed, if-newer, never")
        ->check(CLI::IsMember({"always", "if-changed", "if-newer", "never"}));
    command.add_flag("--delete", a.delete_extra, "remove what the snapshot does not have");
    command.add_flag("--verify", a.verify, "read everything back and compare");
    command.add_flag("--sparse", a.sparse,
                     "leave holes for all runs of zeros (holes that were saved are always kept)");
    command.add_flag("--privileged", a.privileged,
                     "also set-id bits, device files, and attributes in security and trusted");
    command.add_flag("--numeric-ids", a.numeric_ids, "owners by number, whatever their names");
    command.add_flag("-n,--dry-run", a.dry_run, "change nothing, say what would be");
    add_filter(command, a.filter);
}

}  // namespace

void add_restore(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("restore", "bring files back");
    auto const arguments = std::make_shared<RestoreArguments>();
    add_options(*command, *arguments);
    command->footer(R"(Examples:
  repo restore latest -t /srv/restored                everything, below /srv/restored
  repo restore latest:/srv/media -t /srv/media        in place: only what differs is rewritten
  repo restore latest:/srv/media -t /srv/media --delete -n -vv
  repo restore 'latest@2026-08-02 13:00' -t /tmp/x -i '/srv/media/**/*.jpg' --verify
  repo restore latest -t /mnt/newdisk --privileged    a whole system of your own

Set-user-id and set-group-id bits of files, device files, and attributes like capabilities are left
out unless --privileged is given: trust the repository before you give it. Owners are found by name,
then by number.

--delete removes what is in the restored folders and not in the snapshot: also files that --exclude
left out when it was taken, unless the restore gets the same --exclude. It keeps what lies beside the
saved paths, mount points, folders that were not saved whole, and the repository, cache and key.)");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_restore(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
