// repo check: is everything there, and is it what was written?
#include "engine/check.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace coffre::cli {

namespace {

enum class How { structure, read_data, scrub };

struct CheckArguments {
    How how = How::structure;
    std::optional<std::string> subset;
    std::optional<std::string> max_age;
    std::optional<std::string> budget;
};

std::invalid_argument bad_subset(std::string const& text) {
    return std::invalid_argument("--read-data-subset \"" + text +
                                 "\": write 2/7 (the second of seven parts), 5% or 10G");
}

PackSlice parse_slice(std::string const& text) {
    std::string_view const all(text);
    std::size_t const slash = all.find('/');
    auto const number = number_in<std::uint32_t>(all.substr(0, slash));
    auto const of = number_in<std::uint32_t>(all.substr(slash + 1));
    if (!number || !of || *number == 0 || *number > *of) throw bad_subset(text);
    return {*number, *of};
}

PackChoice parse_subset(std::string const& text) {
    if (text.find('/') != std::string::npos) return parse_slice(text);
    if (text.ends_with('%')) {
        auto const percent = number_in<double>(std::string_view(text).substr(0, text.size() - 1));
        if (!percent || !(*percent > 0 && *percent <= 100)) throw bad_subset(text);
        return PackShare{*percent};
    }
    // A number alone may be meant as a share.
    bool const has_unit = text.find_first_not_of("0123456789.") != std::string::npos;
    try {
        if (auto const bytes = parse_size(text); bytes > 0 && has_unit) return PackBytes{bytes};
    } catch (std::invalid_argument const&) {
    }
    throw bad_subset(text);
}

CheckRequest make_request(GlobalOptions const& options, CheckArguments const& arguments) {
    CheckRequest request;
    if (arguments.how == How::read_data) request.depth = CheckDepth::read_data;
    if (arguments.subset) request.packs = parse_subset(*arguments.subset);
    if (arguments.max_age) request.max_age_s = parse_duration(*arguments.max_age);
    if (arguments.budget) request.budget_s = parse_duration(*arguments.budget);
    request.threads = options.threads;
    return request;
}

void print_speed(std::string const& what, std::uint64_t bytes, double seconds) {
    double const rate = static_cast<double>(bytes) / std::max(seconds, 0.001);
    print(fmt::format("read      {}, {} in {}, {}", what, size_text(bytes), duration_text(seconds),
                      rate_text(rate)));
}

void print_reads(CheckReport const& report, double seconds) {
    print_speed(fmt::format("{} of {} packs, {} chunks", number_text(report.packs_read),
                            number_text(report.packs), number_text(report.chunks_read)),
                report.bytes_read, seconds);
    print("verified  " + verification_text(report.verification, ::time(nullptr)));
}

void print_text(CheckReport const& report, How how, double seconds) {
    for (auto const& warning : report.warnings) print("note: " + printable(warning));
    if (how == How::scrub) {
        print_speed(number_text(report.packs) + " packs and all else", report.bytes_read, seconds);
    } else {
        print(fmt::format("checked   {} snapshots, {} folders, {} files, {} packs",
                          number_text(report.snapshots), number_text(report.trees),
                          number_text(report.files), number_text(report.packs)));
    }
    if (how == How::read_data) print_reads(report, seconds);
    if (report.clean()) print("no errors were found");
}

nlohmann::json json_of(CheckReport const& report, double seconds) {
    Verification const& verification = report.verification;
    nlohmann::json document{{"message_type", "summary"},
                            {"num_errors", report.errors.size()},
                            {"snapshots", report.snapshots},
                            {"trees", report.trees},
                            {"files", report.files},
                            {"packs", report.packs},
                            {"pack_bytes", report.pack_bytes},
                            {"packs_read", report.packs_read},
                            {"chunks_read", report.chunks_read},
                            {"bytes_read", report.bytes_read},
                            {"packs_never_verified", verification.packs_never},
                            {"bytes_never_verified", verification.bytes_never},
                            {"packs_damaged", verification.packs_damaged},
                            {"seconds_elapsed", seconds}};
    if (verification.oldest_s) {
        document["oldest_verification"] = rfc3339(*verification.oldest_s * 1'000'000'000);
    }
    put_texts(document, "errors", report.errors);
    put_texts(document, "warnings", report.warnings);
    return document;
}

void print_result(GlobalOptions const& options, CheckReport const& report, How how,
                  double seconds) {
    if (options.json) {
        return print(json_of(report, seconds).dump());
    }
    if (!options.quiet) print_text(report, how, seconds);
    if (!report.clean()) {
        if (report.errors.size() > most_errors_shown) {
            print_error("repo: and " + number_text(report.errors.size() - most_errors_shown) +
                        " more, which --json names");
        }
        print_error("repo: errors found: " + number_text(report.errors.size()) +
                    "; `repo repair` says what can be mended");
    }
}

int run_check(GlobalOptions const& options, CheckArguments const& arguments) {
    CheckRequest const request = make_request(options, arguments);
    bool const is_scrub = arguments.how == How::scrub;
    auto const repository = is_scrub ? nullptr : open(options, Purpose::check);
    Progress progress;
    CheckReport report;
    double seconds = 0;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        report = is_scrub ? scrub_store(repository_location(options), options.threads, progress)
                          : check_repository(*repository, request, progress);
        seconds = display.seconds();
    }
    print_result(options, report, arguments.how, seconds);
    return report.clean() ? exit_code::ok : exit_code::integrity;
}

void add_options(CLI::App& command, CheckArguments& a) {
    auto* const scrub = command.add_flag_callback(
        "--scrub", [&a] { a.how = How::scrub; },
        "compare all with its checksums, and nothing else: fast, and without any key");
    auto const read_data = [&a] { a.how = How::read_data; };
    auto* const all = command
                          .add_flag_callback("--read-data", read_data,
                                             "read and compare every byte of every pack")
                          ->excludes(scrub);
    // Each of these asks for --read-data, too.
    auto const add_limit = [&](char const* name, std::optional<std::string>& value,
                               char const* help) {
        return command.add_option(name, value, help)
            ->excludes(scrub)
            ->each([read_data](std::string const&) { read_data(); });
    };
    add_limit("--read-data-subset", a.subset,
              "read a part of the packs: 2/7 (the second of seven parts), or, chosen at random, 5% "
              "or 10G")
        ->excludes(all);
    add_limit("--max-age", a.max_age,
              "read only packs that this machine has not verified for so long (90s 10m 26h 30d)");
    add_limit("--budget", a.budget, "begin no further pack after this time (90s 10m 26h 30d)");
}

}  // namespace

void add_check(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("check", "look for damage");
    auto const arguments = std::make_shared<CheckArguments>();
    add_options(*command, *arguments);
    command->footer(R"(Examples:
  repo check
  repo check --read-data
  repo check --read-data-subset 2/7               each day of the week another part
  repo check --read-data --max-age 30d --budget 20m
                                                  every night: all packs once a month
  repo check --scrub

Packs are read in order: first those that were never verified, then what was longest ago. This
machine remembers it in its cache folder.)");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_check(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
