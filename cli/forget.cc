// repo forget: giving snapshots up, by name or by rules.
#include "engine/forget.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/numbers.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "cli/prune.h"
#include "engine/tag.h"

namespace coffre::cli {

namespace {

struct ForgetArguments {
    ForgetRequest request;
    std::string group_by = "host,paths";
    std::string undo;
    std::map<std::string, std::string> counts;   // by option
    std::map<std::string, std::string> withins;  // by option
    bool prune = false;
    PruneArguments prune_arguments;
};

constexpr unsigned most_to_keep = 999'999;

unsigned parse_keep(std::string const& text) {
    if (text == "unlimited" || text == "all") return keep_all;
    auto const number = number_in<unsigned>(text);
    if (!number || *number > most_to_keep) {
        throw std::invalid_argument("\"" + text + "\": how many to keep, a number or `unlimited`");
    }
    return *number;
}

void read_rules(ForgetArguments& arguments) {
    auto& rules = arguments.request.rules;
    std::map<std::string, unsigned*> const counts{
        {"last", &rules.count.last},       {"hourly", &rules.count.hourly},
        {"daily", &rules.count.daily},     {"weekly", &rules.count.weekly},
        {"monthly", &rules.count.monthly}, {"yearly", &rules.count.yearly}};
    std::map<std::string, CalendarSpan*> const spans{{"", &rules.within.all},
                                                     {"hourly", &rules.within.hourly},
                                                     {"daily", &rules.within.daily},
                                                     {"weekly", &rules.within.weekly},
                                                     {"monthly", &rules.within.monthly},
                                                     {"yearly", &rules.within.yearly}};
    for (auto const& [name, text] : arguments.counts) {
        if (!text.empty()) *counts.at(name) = parse_keep(text);
    }
    for (auto const& [name, text] : arguments.withins) {
        if (!text.empty()) *spans.at(name) = parse_span(text);
    }
    arguments.request.group_by = parse_group_by(arguments.group_by);
}

std::string title_of(ForgetGroup const& group) {
    std::string title;
    if (!group.host.empty()) title += " host " + printable(group.host);
    if (!group.paths.empty()) title += " paths " + joined(group.paths, ", ");
    if (!group.tags.empty()) title += " tags " + joined(group.tags, ", ");
    return title.empty() ? "all snapshots:" : "snapshots of" + title + ":";
}

std::string what_of(SessionId const& id, std::vector<std::string> const& reasons,
                    ForgetReport const& report) {
    if (!report.is_measured) return joined(reasons, ", ");
    if (reasons.empty()) return "frees " + size_text(report.freed.at(id));
    return joined(reasons, ", ") + "; alone " + size_text(report.alone.at(id));
}

// Of those that were named, what stays is nothing new.
void print_group(ForgetArguments const& arguments, ForgetGroup const& group,
                 ForgetReport const& report) {
    print(title_of(group));
    for (auto const& [named, reasons] : group.decisions) {
        if (!arguments.request.names.empty() && !reasons.empty()) continue;
        print(fmt::format("  {}  {}  {}  {}{}", reasons.empty() ? "remove" : "keep  ",
                          named.id.hex().substr(0, 8), time_text(named.snapshot.time_ns),
                          what_of(named.id, reasons, report), incomplete_mark(named.snapshot)));
    }
}

// Nobody knows of whom they are.
std::set<SessionId> ids_in_no_group(ForgetReport const& report) {
    std::set<SessionId> ids;
    for (auto const& [id, bytes] : report.freed) ids.insert(id);
    for (auto const& group : report.groups) {
        for (auto const& [named, reasons] : group.decisions) ids.erase(named.id);
    }
    return ids;
}

void print_text(ForgetArguments const& arguments, ForgetReport const& report) {
    bool const dry_run = arguments.request.dry_run;
    if (report.removed() == 0 && report.groups.empty())
        return print("there is no such snapshot, so none is forgotten");
    for (auto const& id : ids_in_no_group(report))
        print("  remove  " + id.hex() + "  cannot be read");
    for (auto const& group : report.groups) print_group(arguments, group, report);
    std::string const frees =
        report.is_measured ? ", which frees " + size_text(report.freed_bytes) : "";
    print(fmt::format("{} {} snapshot{}{}", dry_run ? "would forget" : "forgot", report.removed(),
                      report.removed() == 1 ? "" : "s", frees));
    if (report.removed() > 0 && report.is_measured && !dry_run && !arguments.prune) {
        print("`repo prune` frees it; until then `repo forget --undo ID` takes it back");
    }
    if (!report.too_many.empty()) {
        print(printable(report.too_many) + ": without --dry-run that needs --allow-many");
    }
}

nlohmann::json group_json(ForgetGroup const& group, ForgetReport const& report) {
    nlohmann::json document{{"keep", nlohmann::json::array()}, {"remove", nlohmann::json::array()}};
    put_text(document, "host", group.host);
    put_texts(document, "paths", group.paths);
    put_texts(document, "tags", group.tags);
    for (auto const& [named, reasons] : group.decisions) {
        auto entry = snapshot_json(named);
        if (!reasons.empty()) entry["reasons"] = reasons;
        if (!reasons.empty() && report.is_measured) entry["alone"] = report.alone.at(named.id);
        if (reasons.empty() && report.is_measured) entry["freed"] = report.freed.at(named.id);
        document[reasons.empty() ? "remove" : "keep"].push_back(std::move(entry));
    }
    return document;
}

void print_report(GlobalOptions const& options, ForgetArguments const& arguments,
                  ForgetReport const& report) {
    if (!options.json) {
        if (!options.quiet) print_text(arguments, report);
        return;
    }
    nlohmann::json document{{"message_type", "forget"},
                            {"dry_run", arguments.request.dry_run},
                            {"removed", report.removed()},
                            {"needs_allow_many", !report.too_many.empty()},
                            {"groups", nlohmann::json::array()}};
    if (report.is_measured) document["freed"] = report.freed_bytes;
    for (auto const& group : report.groups) document["groups"].push_back(group_json(group, report));
    print(document.dump());
}

// Throws std::invalid_argument when the command was given anything else.
void require_alone(CLI::App const& command, CLI::Option const& undo) {
    for (auto const* other : command.get_options()) {
        if (other == &undo || other->count() == 0) continue;
        throw std::invalid_argument(
            "--undo takes the ID of one snapshot, and nothing goes with it: leave out " +
            other->get_name());
    }
}

int undo(GlobalOptions const& options, std::string const& id) {
    auto const repository = open(options);
    Progress progress;
    auto const done = unforget(*repository, id, progress);
    if (options.json) {
        print(nlohmann::json{
            {"message_type", "unforget"}, {"was", done.was.hex()}, {"id", done.now.id.hex()}}
                  .dump());
    } else if (!options.quiet) {
        print("snapshot " + done.was.hex().substr(0, 8) + " is back as " +
              done.now.id.hex().substr(0, 8));
    }
    return exit_code::ok;
}

// On a full disk there may be no room for the records before what was given up earlier is freed.
ForgetReport forget_or_make_room(GlobalOptions const& options, ForgetArguments const& arguments,
                                 Repository& repository, PruneRequest const& pruning) {
    auto const try_it = [&] {
        Progress progress;
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        return forget(repository, arguments.request, progress);
    };
    try {
        return try_it();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::no_space || !arguments.prune) throw;
    }
    run_prune(options, repository, pruning);
    return try_it();
}

int run_forget(GlobalOptions const& options, ForgetArguments& arguments) {
    if (!arguments.undo.empty()) return undo(options, arguments.undo);
    read_rules(arguments);
    PruneRequest pruning = prune_request(options, arguments.prune_arguments);
    pruning.dry_run = arguments.request.dry_run;
    // As far as it is shown.
    arguments.request.measure_kept =
        options.json || (!options.quiet && arguments.request.names.empty());
    auto const repository = open(options);
    auto const report = forget_or_make_room(options, arguments, *repository, pruning);
    print_report(options, arguments, report);
    if (!arguments.prune) return exit_code::ok;
    if (pruning.dry_run) {
        for (auto const& [id, freed] : report.freed) pruning.as_if_forgotten.insert(id);
    }
    return run_prune(options, *repository, pruning);
}

void require_no_prune_option(CLI::App& command) {
    for (auto const* const option : command.get_options()) {
        if (option->get_group() == prune_group && option->count() > 0)
            throw std::invalid_argument(option->get_name() + " is for what --prune does: add that");
    }
}

void add_rules(CLI::App& command, ForgetArguments& arguments) {
    auto const count = [&](std::string const& name, std::string const& what) {
        command.add_option("--keep-" + name, arguments.counts[name], what)->group("Rules");
    };
    auto const within = [&](std::string const& name, std::string const& what) {
        std::string const suffix = name.empty() ? "" : "-" + name;
        command.add_option("--keep-within" + suffix, arguments.withins[name], what)->group("Rules");
    };
    count("last", "the newest N, or `unlimited` as in all of these that count");
    count("hourly", "the newest of each of the last N hours that have any");
    count("daily", "the same for days");
    count("weekly", "for weeks, which begin on Mondays");
    count("monthly", "for months");
    count("yearly", "for years");
    within("", "all not older than the newest by more than this, such as 2y5m7d3h");
    within("hourly", "the newest of each hour within this");
    within("daily", "of each day");
    within("weekly", "of each week");
    within("monthly", "of each month");
    within("yearly", "of each year");
    command.add_option("--keep-tag", arguments.request.rules.tags, "all with these tags (a,b)")
        ->group("Rules");
}

}  // namespace

void add_forget(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("forget", "give snapshots up, by ID or by rules of what to keep");
    auto const arguments = std::make_shared<ForgetArguments>();
    ForgetRequest& request = arguments->request;
    command->add_option("snapshots", request.names, "IDs, or latest");
    add_rules(*command, *arguments);
    command->add_option("--group-by", arguments->group_by,
                        "the rules hold for each host, paths, tags (default: host,paths)");
    command->add_flag("--allow-many", request.allow_many,
                      "also more than half of a group's snapshots, or all of them");
    command->add_flag("-n,--dry-run", request.dry_run, "only say what would go, and why");
    command->add_option("--reason", request.reason, "a word kept with it");
    auto* const undo_option = command->add_option("--undo", arguments->undo,
                                                  "take back a snapshot that is not collected yet");
    command->add_flag("--prune", arguments->prune, "then free what nobody needs any more");
    add_prune_options(*command, arguments->prune_arguments);
    add_filter(*command, request.filter);
    command->footer(
        "What stays is shown with why, and with what it alone needs: forgetting it, too, frees "
        "that.\n"
        "While a rule has fewer than N, it keeps the oldest snapshot, too.\n"
        "No rule removes pinned snapshots (`repo tag --pin`), those dated in the future, or the "
        "newest\n"
        "complete one while newer ones are incomplete. Hours and days are those of this machine's\n"
        "time zone, or of TZ.\n\n"
        "Examples:\n"
        "  repo forget --keep-hourly 48 --keep-daily 14 --keep-monthly 12 --dry-run\n"
        "  repo forget --keep-within 30d --keep-yearly unlimited --prune\n"
        "  repo forget 3f2a91c0\n"
        "  repo forget --undo 3f2a91c0");
    command->callback([&context, arguments, command, undo_option] {
        context.run = [&context, arguments, command, undo_option] {
            if (undo_option->count() > 0) require_alone(*command, *undo_option);
            if (!arguments->prune) require_no_prune_option(*command);
            return run_forget(context.options, *arguments);
        };
    });
}

}  // namespace coffre::cli
