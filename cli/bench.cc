// repo bench: what would a backup of these paths cost here?
#include "engine/bench.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/bench_page.h"
#include "cli/context.h"
#include "cli/output.h"
#include "cli/patterns.h"
#include "cli/progress_display.h"

namespace coffre::cli {

namespace {

struct BenchArguments {
    std::vector<std::string> paths;
    std::vector<std::string> exclude;
    std::string sample = "256M";
    std::string to;
    std::string html;
    std::string compression = "auto";
};

double percent(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

void print_found(BenchReport const& report) {
    PathsFound const& found = report.found;
    SampleFound const& sample = report.sample;
    print(fmt::format("found       {} files in {} folders, {}", number_text(found.files),
                      number_text(found.directories), size_text(found.bytes)));
    print(fmt::format("measured    {} of {} files{}", size_text(sample.bytes),
                      number_text(sample.files),
                      sample.is_all ? ": all there is" : ", picked at random"));
    print(fmt::format("repeated    {:.1f} % of it{}",
                      percent(sample.bytes - sample.unique_bytes, sample.bytes),
                      sample.is_all ? "" : " (more in the whole: a sample misses most copies)"));
    print(fmt::format("compressed  what is left, to {:.1f} %",
                      percent(sample.stored_bytes, sample.unique_bytes)));
}

void print_stages(BenchReport const& report) {
    print(fmt::format("\n{:<12}{:>14}{:>14}", "stage", "1 thread",
                      fmt::format("{} threads", report.threads)));
    for (auto const& stage : report.stages) {
        print(fmt::format("{:<12}{:>14}{:>14}", stage.stage, rate_text(stage.one_thread),
                          rate_text(stage.all_threads)));
    }
    if (report.write_speed)
        print(fmt::format("{:<12}{:>14}", "write", rate_text(*report.write_speed)));
    print("snapshot is chunk, identify, compress and seal together; restore is the way back.\n");
}

void print_cost(char const* name, RunCost const& cost) {
    print(fmt::format("{:<12}about {}, reads {}, stores {}", name, duration_text(cost.seconds),
                      size_text(cost.read_bytes), size_text(cost.stored_bytes)));
}

void print_text(BenchReport const& report) {
    print_found(report);
    print_stages(report);
    print_cost("first run", report.first);
    print_cost("nothing new", report.unchanged);
    print_cost("a day's", report.daily);
    print("A day's run has as much new data as the last 30 days had on average.");
}

nlohmann::json json_of(RunCost const& cost) {
    return {{"seconds", cost.seconds},
            {"bytes_read", cost.read_bytes},
            {"bytes_stored", cost.stored_bytes}};
}

nlohmann::json json_of(BenchReport const& report) {
    nlohmann::json stages = nlohmann::json::array();
    for (auto const& stage : report.stages) {
        stages.push_back({{"stage", stage.stage},
                          {"one_thread", stage.one_thread},
                          {"all_threads", stage.all_threads}});
    }
    nlohmann::json document{{"message_type", "summary"},
                            {"threads", report.threads},
                            {"files", report.found.files},
                            {"directories", report.found.directories},
                            {"bytes", report.found.bytes},
                            {"bytes_of_30_days", report.found.bytes_of_month},
                            {"unreadable", report.found.unreadable + report.sample.unreadable},
                            {"sample_files", report.sample.files},
                            {"sample_bytes", report.sample.bytes},
                            {"sample_is_all", report.sample.is_all},
                            {"chunks", report.sample.chunks},
                            {"unique_bytes", report.sample.unique_bytes},
                            {"stored_bytes", report.sample.stored_bytes},
                            {"stages", stages},
                            {"first", json_of(report.first)},
                            {"unchanged", json_of(report.unchanged)},
                            {"daily", json_of(report.daily)}};
    if (report.write_speed) document["write_speed"] = *report.write_speed;
    return document;
}

[[noreturn]] void fail_to_write(std::string const& path) {
    throw SourceError(path,
                      path + ": cannot be written: " + std::generic_category().message(errno));
}

// Before anything is measured, which may take minutes.
std::ofstream page_at(std::string const& path) {
    std::ofstream file;
    if (path.empty()) return file;
    file.open(path);
    if (!file) fail_to_write(path);
    return file;
}

BenchRequest make_request(GlobalOptions const& options, BenchArguments const& arguments) {
    BenchRequest request;
    request.paths = arguments.paths;
    for (auto const& pattern : arguments.exclude) add_pattern(request.exclude, pattern);
    request.sample_bytes = parse_size(arguments.sample);
    request.store_folder = arguments.to;
    request.compression_level = compression_level(arguments.compression);
    request.threads = options.threads;
    return request;
}

int run_bench(GlobalOptions const& options, BenchArguments const& arguments) {
    auto const request = make_request(options, arguments);
    auto page = page_at(arguments.html);
    Progress progress;
    BenchReport report;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        report = bench_paths(request, progress);
    }
    if (options.json) {
        print(json_of(report).dump());
    } else if (!options.quiet) {
        print_text(report);
    }
    if (page.is_open()) {
        page << bench_page(report, "Backing up " + arguments.paths.front());
        page.close();
        if (!page) fail_to_write(arguments.html);
    }
    bool const is_whole = report.found.unreadable + report.sample.unreadable == 0;
    return is_whole ? exit_code::ok : exit_code::incomplete;
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("bench", "measure what a backup would cost here; nothing is saved");
    auto const arguments = std::make_shared<BenchArguments>();
    command->add_option("paths", arguments->paths, "what would be saved")->required();
    command->add_option("-e,--exclude", arguments->exclude, "not what matches (repeatable)")
        ->allow_extra_args(false);
    command->add_option("--sample", arguments->sample,
                        "read this much at the most, into memory (default: 256M)");
    command->add_option("--to", arguments->to,
                        "also measure writing in this folder (nothing stays there)");
    command->add_option("--compression", arguments->compression, "off, fast, auto, better or max")
        ->envname("REPO_COMPRESSION");
    command->add_option("--html", arguments->html, "write a page with a chart to this file");
    command->footer(
        "Examples:\n  repo bench /srv/media\n  repo bench --sample 2G --to /mnt/backup --html "
        "bench.html /srv/media");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_bench(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
