// repo copy: brings snapshots from another repository here.
#include "engine/copy.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace coffre::cli {

namespace {

struct CopyArguments {
    CopyRequest request;
    std::string from;
    NewKeySource from_key;
    bool from_unencrypted = false;
    std::string compression = "auto";
};

// The source is opened as the destination is, but for what was said of it.
GlobalOptions options_of_source(GlobalOptions const& options, CopyArguments const& arguments) {
    GlobalOptions source = options;
    source.repository = arguments.from;
    source.repository_file.clear();
    if (arguments.from_key.empty()) return source;
    source.password_file = arguments.from_key.password_file;
    source.password_command = arguments.from_key.password_command;
    source.key_file = arguments.from_key.key_file;
    return source;
}

// Without any key: nobody else asks for that, since an encrypted one might have been exchanged.
std::shared_ptr<Repository> open_source(GlobalOptions const& options,
                                        CopyArguments const& arguments) {
    GlobalOptions const source = options_of_source(options, arguments);
    if (!arguments.from_unencrypted) return open(source);
    if (!arguments.from_key.empty())
        throw std::invalid_argument("--from-unencrypted: what is not encrypted has no key");
    return open_repository(arguments.from, {}, open_options(source));
}

// Two repositories: a failure says of which, and how that one's key is given.
template <class Open>
std::shared_ptr<Repository> open_as(std::string const& which, Open const& open_it,
                                    std::string const& key_hint = "") {
    try {
        return open_it();
    } catch (RepositoryError const& error) {
        bool const is_key = error.kind() == RepositoryFailure::wrong_key;
        throw RepositoryError(error.kind(), which + ": " + error.what() + (is_key ? key_hint : ""));
    }
}

char const* message_type(CopiedSnapshot const& copied, bool is_dry_run) {
    if (copied.is_healed) return is_dry_run ? "to_heal" : "healed";
    return is_dry_run ? "to_copy" : "copied";
}

void print_copied(ProgressDisplay& display, GlobalOptions const& options,
                  CopiedSnapshot const& copied, bool is_dry_run) {
    if (options.json) {
        auto document = snapshot_json(copied.to ? *copied.to : copied.from);
        document["message_type"] = message_type(copied, is_dry_run);
        document["from"] = copied.from.id.hex();
        return display.print(document.dump());
    }
    if (options.quiet) return;
    std::string const what = fmt::format("snapshot {} of {}", copied.from.id.hex().substr(0, 8),
                                         time_text(copied.from.snapshot.time_ns));
    if (copied.is_healed) {
        return display.print(fmt::format("{}{} from {}", is_dry_run ? "would heal " : "healed ",
                                         copied.to->id.hex().substr(0, 8), what));
    }
    if (is_dry_run) {
        auto const bytes = copied.from.snapshot.statistics.bytes;
        return display.print(fmt::format("would copy {}, {}", what, size_text(bytes)));
    }
    display.print(fmt::format("copied {} as {}, {} stored", what, copied.to->id.hex().substr(0, 8),
                              size_text(copied.to->snapshot.statistics.bytes_stored)));
}

void print_summary(GlobalOptions const& options, CopyReport const& report, bool is_dry_run,
                   double seconds) {
    if (options.json) {
        nlohmann::json document{{"message_type", "summary"},
                                {"snapshots_copied", report.copied.size()},
                                {"snapshots_there", report.were_there},
                                {"snapshots_healed", report.healed},
                                {"num_errors", report.errors.size()},
                                {"dry_run", is_dry_run},
                                {"seconds_elapsed", seconds}};
        put_texts(document, "errors", report.errors);
        return print(document.dump());
    }
    if (!options.quiet) {
        std::string const healed =
            report.healed > 0 ? fmt::format(" ({} of them healed)", number_text(report.healed))
                              : "";
        print(fmt::format("{} {}copied, {} there before{}, in {}",
                          number_text(report.copied.size()), is_dry_run ? "would be " : "",
                          number_text(report.were_there), healed, duration_text(seconds)));
    }
    if (!report.errors.empty()) {
        print_error("repo: errors found: " + number_text(report.errors.size()));
    }
}

int run_copy(GlobalOptions const& options, CopyArguments& arguments) {
    arguments.request.threads = options.threads;
    arguments.request.compression_level = compression_level(arguments.compression);
    arguments.request.destination = absolute_path(repository_location(options));
    auto const source = open_as(
        "the source (--from)", [&] { return open_source(options, arguments); },
        "; its key is given with --from-key-file, --from-password-file or "
        "--from-password-command");
    auto const destination = open_as("the destination (-r)", [&] { return open(options); });
    Progress progress;
    CopyReport report;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        report = copy_snapshots(
            *source, *destination, arguments.request, progress, [&](CopiedSnapshot const& copied) {
                print_copied(display, options, copied, arguments.request.dry_run);
            });
        seconds = display.seconds();
    }
    print_summary(options, report, arguments.request.dry_run, seconds);
    return report.errors.empty() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_copy(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("copy", "bring snapshots from another repository into this one");
    auto const arguments = std::make_shared<CopyArguments>();
    command->add_option("snapshots", arguments->request.names,
                        "of the other repository: IDs, latest, latest~N (default: all)");
    command->add_option("--from", arguments->from, "the other repository: a folder")
        ->envname("REPO_FROM_REPOSITORY")
        ->required();
    command->add_option("--from-password-file", arguments->from_key.password_file,
                        "file that holds its passphrase (default: the keys of this one)");
    command->add_option("--from-password-command", arguments->from_key.password_command,
                        "shell command that prints its passphrase");
    command->add_option("--from-key-file", arguments->from_key.key_file, "its key file");
    command->add_flag("--from-unencrypted", arguments->from_unencrypted,
                      "it is not encrypted: no key is used for it");
    command->add_flag("-n,--dry-run", arguments->request.dry_run, "only say what would be copied");
    command->add_flag("--heal", arguments->request.heal,
                      "also bring what snapshots lack that are here already, after a repair");
    command->add_option("--compression", arguments->compression, "auto, fast, better, max, off")
        ->envname("REPO_COMPRESSION");
    add_filter(*command, arguments->request.filter);
    command->footer(
        "What is here already is not copied again; run it after each snapshot, or each night. "
        "Both\n"
        "may have other keys. When it is interrupted, run it again.\n\n"
        "Examples:\n  repo copy -r /mnt/offsite --from /mnt/backup/media\n"
        "  repo copy -r /mnt/offsite --from /mnt/backup/media --from-key-file old.key latest\n"
        "  repo copy -r /mnt/backup/media --from /mnt/offsite/media --heal");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_copy(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
