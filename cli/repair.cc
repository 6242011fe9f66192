// repo repair: makes whole what can be, and says what is lost.
#include "engine/repair.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "cli/progress_display.h"
#include "engine/forget.h"
#include "engine/snapshot.h"

namespace coffre::cli {

namespace {

struct RepairArguments {
    bool apply = false;
    bool skip_data = false;
    bool allow_many = false;
    std::vector<std::string> from;
};

void print_counts(RepairReport const& report, bool apply) {
    auto const line = [](std::string const& what, std::uint64_t count, std::string const& done) {
        if (count > 0) print(fmt::format("{:<24}{:>9}  {}", what, number_text(count), done));
    };
    std::string const aside = !apply               ? "to be set aside"
                              : report.unmoved > 0 ? "set aside, but for what cannot be moved"
                                                   : "set aside";
    line("packs", report.packs, "looked at");
    line("damaged packs", report.damaged_packs.size(), aside);
    line("missing packs", report.missing_packs.size(), "no longer counted on");
    line("packs in no bundle", report.packs_without_bundle,
         apply         ? "in a new one"
         : report.hurt ? "left by an interrupted run"
                       : "to be put into a new one");
    line("damaged bundles", report.damaged_bundles.size(), aside);
    line("damaged forget records", report.damaged_forgets.size(),
         "their snapshots are there again");
    line("damaged session records", report.damaged_sessions.size(),
         apply ? "ended" : "to be ended: a writer tries once more");
    line("damaged log records", report.damaged_log.size(), "no longer needed");
    line("other files", report.strays.size(), aside);
    line("lost snapshots", report.lost_snapshots.size(),
         report.needs_allow_many ? "more than are left"
         : apply                 ? "no longer looked for"
                                 : "no longer to be looked for");
    if (apply) line("chunks", report.chunks_saved, "saved from damaged packs");
    if (apply) line("chunks", report.chunks_lost, "lost, whether anybody needs them or not");
    line("objects", report.beyond_repair.size(), "that no repair can mend");
}

void print_hurt(HurtPath const& hurt) {
    std::string in = hurt.snapshots[0].hex().substr(0, 8);
    if (hurt.snapshots.size() > 1) in += " to " + hurt.snapshots.back().hex().substr(0, 8);
    print(fmt::format(
        "hurt  {}{}  in {} snapshot{}: {}", printable(hurt.path),
        hurt.is_folder ? (hurt.path == "/" ? " (what is in it)" : "/ (what is in it)") : "",
        number_text(hurt.snapshots.size()), hurt.snapshots.size() == 1 ? "" : "s", in));
}

// What a repair cannot do by itself.
void print_ways_back() {
    print(
        "What is hurt comes back with what has it still: `repo snapshot` of the sources, streams "
        "too,\n`repo repair --apply --from PATH`, or `repo copy --heal` from another repository.\n"
        "All else can be restored now; a prune runs again once what stays hurt is given up with\n"
        "`repo forget ID`.");
}

void print_files(RepairReport const& report) {
    if (!report.hurt)
        return print(
            "which files are hurt is not known before the packs are in a bundle: add --apply");
    for (auto const& hurt : *report.hurt) print_hurt(hurt);
    if (!report.hurt->empty()) return print_ways_back();
    bool const are_all = report.lost_snapshots.empty() && !report.has_damaged_slot;
    print(fmt::format("every file of every {}snapshot can be restored", are_all ? "" : "other "));
}

void print_text(RepairReport const& report, bool apply) {
    print_counts(report, apply);
    print_files(report);
    if (report.has_damaged_slot) {
        print(
            "A snapshot whose own object cannot be read is given up with `repo forget` and its "
            "full ID.");
    }
    if (report.needs_allow_many) {
        print(
            "Put back what `snapshots/` has lost, if a copy of it is left anywhere. If none is: "
            "`repo repair\n--apply --allow-many` gives these snapshots up, and a prune then frees "
            "what they needed.");
    }
    if (!apply && report.is_needed()) print("nothing was changed; `repo repair --apply` does it");
}

void print_json(RepairReport const& report, bool apply) {
    for (auto const& hurt : report.hurt.value_or(std::vector<HurtPath>{})) {
        nlohmann::json document{{"message_type", "hurt"},
                                {"type", hurt.is_folder ? "dir" : "file"},
                                {"snapshots", nlohmann::json::array()}};
        put_text(document, "path", hurt.path);
        for (auto const& id : hurt.snapshots) document["snapshots"].push_back(id.hex());
        print(document.dump());
    }
    // Only what is moved is counted.
    auto const counted = [&](std::uint64_t chunks) {
        return apply ? nlohmann::json(chunks) : nlohmann::json();
    };
    nlohmann::json document{{"message_type", "summary"},
                            {"applied", apply},
                            {"packs", report.packs},
                            {"packs_without_bundle", report.packs_without_bundle},
                            {"chunks_saved", counted(report.chunks_saved)},
                            {"chunks_lost", counted(report.chunks_lost)},
                            {"needs_allow_many", report.needs_allow_many},
                            {"unmoved", report.unmoved},
                            {"hurt_known", report.hurt.has_value()},
                            {"hurt", report.hurt ? report.hurt->size() : 0}};
    put_texts(document, "damaged_packs", report.damaged_packs);
    put_texts(document, "missing_packs", report.missing_packs);
    put_texts(document, "damaged_bundles", report.damaged_bundles);
    put_texts(document, "damaged_forgets", report.damaged_forgets);
    put_texts(document, "damaged_sessions", report.damaged_sessions);
    put_texts(document, "damaged_log", report.damaged_log);
    put_texts(document, "strays", report.strays);
    put_texts(document, "lost_snapshots", report.lost_snapshots);
    put_texts(document, "beyond_repair", report.beyond_repair);
    print(document.dump());
}

// Reads all files anew, so that what is lost is stored again wherever they still have it. The
// snapshot itself is of no use: `latest` stays what it was.
void save_again(Repository& repository, std::vector<std::string> const& paths, unsigned threads,
                Progress& progress) {
    SnapshotRequest request;
    request.paths = paths;
    request.parent = ParentChoice::none;
    request.tags = {"repair"};
    request.threads = threads;
    request.only_mends = true;
    take_snapshot(repository, request, progress);
}

RepairReport repair(Repository& repository, RepairArguments const& arguments, unsigned threads,
                    Progress& progress) {
    RepairRequest request{arguments.apply, !arguments.skip_data, threads, arguments.allow_many};
    RepairReport report = repair_repository(repository, request, progress);
    bool const is_hurt = report.hurt && !report.hurt->empty();
    if (!arguments.apply || arguments.from.empty() || !is_hurt) return report;
    save_again(repository, arguments.from, threads, progress);
    request.apply = request.read_data = false;
    report.hurt = repair_repository(repository, request, progress).hurt;
    return report;
}

int run_repair(GlobalOptions const& options, RepairArguments const& arguments) {
    if (!arguments.from.empty() && !arguments.apply) {
        throw std::invalid_argument("--from saves files: it needs --apply");
    }
    for (auto const& path : arguments.from) {
        if (::access(path.c_str(), F_OK) != 0)
            throw std::invalid_argument("--from: " + printable(path) + ": " + std::strerror(errno));
    }
    auto const repository = open(options, Purpose::check);
    Progress progress;
    RepairReport report;
    {
        ProgressDisplay display(progress, options);
        report_failures(progress, display, options);
        report = repair(*repository, arguments, options.threads, progress);
    }
    if (options.json) {
        print_json(report, arguments.apply);
    } else if (!options.quiet) {
        print_text(report, arguments.apply);
    }
    bool const is_done = arguments.apply || !report.is_needed();
    return is_done && report.is_whole() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_repair(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("repair", "make whole what is damaged, and list what is lost");
    auto const arguments = std::make_shared<RepairArguments>();
    command->add_flag("--apply", arguments->apply,
                      "do it; else it is only said what would be done");
    command->add_flag("--skip-data", arguments->skip_data,
                      "of packs compare sizes only, and read none but those known to be damaged");
    command->add_flag("--allow-many", arguments->allow_many,
                      "give up lost snapshots although more are lost than left");
    command->add_option("--from", arguments->from,
                        "save this path again, in full, for what was lost of it (repeatable)");
    command->footer(
        "Nothing is destroyed: what is damaged is moved to the folder quarantine/ of the "
        "repository.\n"
        "What can still be read of it is stored anew first. Others may read and write "
        "meanwhile.\n\n"
        "Examples:\n  repo repair\n  repo repair --apply\n"
        "  repo repair --apply --from /srv/media");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_repair(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
