// repo prune: frees what no snapshot needs.
#include "cli/prune.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "cli/advice.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/progress_display.h"

namespace coffre::cli {

namespace {

// Throws std::invalid_argument.
double parse_share(std::string const& text) {
    auto const percent = number_in<double>(std::string_view(text).substr(0, text.size() - 1));
    if (!percent || !(*percent >= 0 && *percent <= 100))
        throw std::invalid_argument("\"" + text + "\": a share is 0% to 100%");
    return *percent / 100;
}

// "5%", "2G", or "unlimited": nothing is moved. Throws std::invalid_argument.
void set_max_unused(PruneRequest& request, std::string const& text) {
    request.max_unused.reset();
    if (text.ends_with('%')) {
        request.max_unused = parse_share(text);
    } else if (text != "unlimited") {
        request.max_unused_bytes = parse_size(text);
    }
}

std::string amount_text(PruneReport::Amount const& amount) {
    return fmt::format("{:>9} packs  {:>11}", number_text(amount.packs), size_text(amount.bytes));
}

std::string bytes_text(char const* name, std::uint64_t bytes) {
    return fmt::format("{:<12}{:>15}  {:>11}", name, "", size_text(bytes));
}

std::string plan_text(PruneSums const& plan) {
    std::string text = "stored      " + amount_text(plan.total) +  //
                       "\nunneeded    " + amount_text(plan.unneeded) + "\nto move     " +
                       amount_text(plan.repacked) + "\n" + bytes_text("stays", plan.unused) +
                       "  unneeded, among what is needed\n";
    if (plan.kept_for_writers.packs > 0) {
        text += "of writers  " + amount_text(plan.kept_for_writers) + "  left alone\n";
    }
    return text + bytes_text("frees", plan.frees) + "  about";
}

void print_waiting(PruneReport const& report) {
    for (auto const& session : report.waiting_for) {
        std::string const who = session.host.empty() ? "session " + session.id.substr(0, 8)
                                                     : fmt::format("process {} on {}", session.pid,
                                                                   printable(session.host));
        print(fmt::format("waiting for {}, seen {}: run prune again when it is done", who,
                          time_text(session.seen_ns)));
    }
}

void print_text(PruneReport const& report, bool dry_run) {
    if (report.resumed) {
        print(dry_run ? "an earlier collection waits to be finished"
                      : "an earlier collection was taken up");
    }
    if (report.ended_sessions > 0) {
        print(fmt::format("{} {} session{} without a sign of life", dry_run ? "would end" : "ended",
                          report.ended_sessions, report.ended_sessions == 1 ? "" : "s"));
    }
    print_waiting(report);
    if (report.postponed.packs > 0)
        print("postponed   " + amount_text(report.postponed) + "  stay where they are for now");
    if (!dry_run) print("removed     " + amount_text(report.removed));
}

nlohmann::json json_of(PruneReport::Amount const& amount) {
    return {{"packs", amount.packs}, {"bytes", amount.bytes}};
}

nlohmann::json json_of(PruneReport const& report, bool dry_run) {
    nlohmann::json document{{"message_type", "prune"},
                            {"dry_run", dry_run},
                            {"resumed", report.resumed},
                            {"lacked_room", report.lacked_room},
                            {"total", json_of(report.total)},
                            {"unneeded", json_of(report.unneeded)},
                            {"repacked", json_of(report.repacked)},
                            {"postponed", json_of(report.postponed)},
                            {"unused_bytes", report.unused},
                            {"freed_bytes", report.frees},
                            {"kept_for_writers", json_of(report.kept_for_writers)},
                            {"removed", json_of(report.removed)},
                            {"ended_sessions", report.ended_sessions},
                            {"waiting_for", nlohmann::json::array()}};
    for (auto const& session : report.waiting_for) {
        nlohmann::json entry{
            {"id", session.id}, {"pid", session.pid}, {"seen", rfc3339(session.seen_ns)}};
        put_text(entry, "host", session.host);
        document["waiting_for"].push_back(std::move(entry));
    }
    put_texts(document, "damaged", report.damaged);
    return document;
}

}  // namespace

void add_prune_options(CLI::App& command, PruneArguments& arguments) {
    auto const add = [&](char const* name, std::string& value, char const* what) {
        command.add_option(name, value, what)->group(prune_group);
    };
    add("--max-unused", arguments.max_unused,
        "how much may stay unneeded among what is needed: 5%, 0%, 2G, `unlimited` (nothing is "
        "moved)");
    add("--max-repack-size", arguments.max_repack_size, "move at most this much, such as 20G");
    add("--time-budget", arguments.time_budget,
        "begin to move no more packs after this, such as 30m; a dry run shows all");
    add("--compression", arguments.compression,
        "of what is made anew: auto, fast, better, max, off");
}

PruneRequest prune_request(GlobalOptions const& options, PruneArguments const& arguments) {
    PruneRequest request;
    set_max_unused(request, arguments.max_unused);
    if (!arguments.max_repack_size.empty()) {
        request.max_repack_bytes = parse_size(arguments.max_repack_size);
    }
    if (!arguments.time_budget.empty()) {
        request.repack_time = std::chrono::seconds(parse_duration(arguments.time_budget));
    }
    request.compression_level = compression_level(arguments.compression);
    request.threads = options.threads;
    request.gives_way = true;
    request.dry_run = arguments.dry_run;
    return request;
}

int run_prune(GlobalOptions const& options, Repository& repository, PruneRequest request) {
    // Snapshots and restores that run meanwhile come first.
    ::setpriority(PRIO_PROCESS, 0, 10);
    Progress progress;
    PruneReport report;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        if (!options.json && !options.quiet) {
            request.on_plan = [&](PruneSums const& plan) { display.print(plan_text(plan)); };
        }
        report = prune(repository, request, progress);
    }
    if (options.json) {
        print(json_of(report, request.dry_run).dump());
    } else if (!options.quiet) {
        print_text(report, request.dry_run);
    }
    if (report.lacked_room) return exit_code_of(RepositoryFailure::no_space);
    return report.damaged.empty() ? exit_code::ok : exit_code::integrity;
}

void add_prune(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("prune", "free what no snapshot needs, while others read and write");
    command->alias("gc");
    auto const arguments = std::make_shared<PruneArguments>();
    command->add_flag("-n,--dry-run", arguments->dry_run, "only say what would be freed");
    add_prune_options(*command, *arguments);
    command->footer(
        "Nothing is locked: what an open session may rely on is condemned first and removed by a\n"
        "later run, once that session has ended. It may be stopped at any moment and run again.\n\n"
        "Examples:\n  repo prune --dry-run\n  repo prune --max-unused 10% --time-budget 30m");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] {
            auto const request = prune_request(context.options, *arguments);
            auto const repository = open(context.options);
            return run_prune(context.options, *repository, request);
        };
    });
}

}  // namespace coffre::cli
