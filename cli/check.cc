// repo check: is everything there, and is it what was written?
#include "engine/check.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

void print_result(GlobalOptions const& options, CheckReport const& report, bool read_data,
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
    if (!options.quiet) {
        for (auto const& warning : report.warnings) print("note: " + warning);
        print(fmt::format("checked   {} snapshots, {} folders, {} files, {} packs",
                          number_text(report.snapshots), number_text(report.trees),
                          number_text(report.files), number_text(report.packs)));
        if (read_data) {
            print(fmt::format(
                "read      {} chunks, {} in {}, {}/s", number_text(report.chunks_read),
                size_text(report.bytes_read), duration_text(seconds),
                size_text(static_cast<std::uint64_t>(static_cast<double>(report.bytes_read) /
                                                     std::max(seconds, 0.001)))));
        }
        if (report.clean()) print("no errors were found");
    }
    if (!report.clean()) {
        print_error("repo: errors found: " + number_text(report.errors.size()));
    }
}

int run_check(GlobalOptions const& options, bool read_data) {
    auto const repository = open(options, Purpose::check);
    Progress progress;
    CheckReport report;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        auto const depth = read_data ? CheckDepth::read_data : CheckDepth::structure;
        report = check_repository(*repository, depth, options.threads, progress);
        seconds = display.seconds();
    }
    print_result(options, report, read_data, seconds);
    return report.clean() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("check", "look for damage");
    auto const read_data = std::make_shared<bool>(false);
    command->add_flag("--read-data", *read_data, "read and compare every byte of every pack");
    command->footer("Examples:\n  repo check\n  repo check --read-data");
    command->callback([&context, read_data] {
        context.run = [&context, read_data] { return run_check(context.options, *read_data); };
    });
}

}  // namespace coffre::cli
