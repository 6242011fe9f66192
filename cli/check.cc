// repo check: is everything there, and is it what was written?
#include "engine/check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

enum class How { structure, read_data, scrub };

void print_speed(std::string const& what, std::uint64_t bytes, double seconds) {
    double const rate = static_cast<double>(bytes) / std::max(seconds, 0.001);
    print(fmt::format("read      {}, {} in {}, {}", what, size_text(bytes), duration_text(seconds),
                      rate_text(rate)));
}

void print_text(CheckReport const& report, How how, double seconds) {
    for (auto const& warning : report.warnings) print("note: " + warning);
    if (how == How::scrub) {
        print_speed(number_text(report.packs) + " packs and all else", report.bytes_read, seconds);
    } else {
        print(fmt::format("checked   {} snapshots, {} folders, {} files, {} packs",
                          number_text(report.snapshots), number_text(report.trees),
                          number_text(report.files), number_text(report.packs)));
    }
    if (how == How::read_data) {
        print_speed(number_text(report.chunks_read) + " chunks", report.bytes_read, seconds);
    }
    if (report.clean()) print("no errors were found");
}

void print_result(GlobalOptions const& options, CheckReport const& report, How how,
                  double seconds) {
    if (options.json) {
        nlohmann::json document{{"message_type", "summary"},
                                {"num_errors", report.errors.size()},
                                {"snapshots", report.snapshots},
                                {"trees", report.trees},
                                {"files", report.files},
                                {"packs", report.packs},
                                {"chunks_read", report.chunks_read},
                                {"bytes_read", report.bytes_read},
                                {"seconds_elapsed", seconds}};
        put_texts(document, "errors", report.errors);
        put_texts(document, "warnings", report.warnings);
        return print(document.dump());
    }
    if (!options.quiet) print_text(report, how, seconds);
    if (!report.clean()) {
        print_error("repo: errors found: " + number_text(report.errors.size()));
    }
}

CheckReport check(GlobalOptions const& options, How how, Progress& progress) {
    if (how == How::scrub)
        return scrub_store(repository_location(options), options.threads, progress);
    auto const repository = open(options, Purpose::check);
    auto const depth = how == How::read_data ? CheckDepth::read_data : CheckDepth::structure;
    return check_repository(*repository, depth, options.threads, progress);
}

int run_check(GlobalOptions const& options, How how) {
    Progress progress;
    CheckReport report;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        report = check(options, how, progress);
        seconds = display.seconds();
    }
    print_result(options, report, how, seconds);
    return report.clean() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("check", "look for damage");
    auto const how = std::make_shared<How>(How::structure);
    auto* const read_data = command->add_flag_callback(
        "--read-data", [how] { *how = How::read_data; },
        "read and compare every byte of every pack");
    command
        ->add_flag_callback(
            "--scrub", [how] { *how = How::scrub; },
            "compare all with its checksums, and nothing else: fast, and without any key")
        ->excludes(read_data);
    command->footer("Examples:\n  repo check\n  repo check --read-data\n  repo check --scrub");
    command->callback([&context, how] {
        context.run = [&context, how] { return run_check(context.options, *how); };
    });
}

}  // namespace coffre::cli
