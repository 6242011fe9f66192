// repo snapshots: what there is to restore.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "engine/tag.h"

namespace coffre::cli {

namespace {

std::string marks_of(Snapshot const& snapshot) {
    return (snapshot.pinned ? "  (pinned)" : "") + incomplete_mark(snapshot);
}

void print_table(std::vector<NamedSnapshot> const& snapshots) {
    print(fmt::format("{:8}  {:19}  {:15}  {:10}  {:>11}  {}", "ID", "Time", "Host", "Tags", "Size",
                      "Paths"));
    for (auto const& [id, snapshot] : snapshots) {
        print(fmt::format("{:8}  {:19}  {:15}  {:10}  {:>11}  {}{}", id.hex().substr(0, 8),
                          time_text(snapshot.time_ns), printable(snapshot.host),
                          joined(snapshot.tags, ","), size_text(snapshot.statistics.bytes),
                          joined(sources_of(snapshot), ","), marks_of(snapshot)));
    }
    print(fmt::format("{} snapshot{}", snapshots.size(), snapshots.size() == 1 ? "" : "s"));
}

struct SnapshotsArguments {
    SnapshotFilter filter;
    bool forgotten = false;
};

int run_snapshots(GlobalOptions const& options, SnapshotsArguments const& arguments) {
    auto const repository = open(options);
    SnapshotFilter const& filter = arguments.filter;
    SnapshotList list;
    if (arguments.forgotten) {
        list = forgotten_snapshots(*repository);
    } else {
        list = list_snapshots(*repository);
    }
    std::erase_if(list.snapshots,
                  [&](NamedSnapshot const& s) { return !filter.matches(s.snapshot); });
    if (options.json) {
        auto documents = nlohmann::json::array();
        for (auto const& named : list.snapshots) documents.push_back(snapshot_json(named));
        print(documents.dump());
    } else {
        print_table(list.snapshots);
    }
    for (auto const& message : list.damaged) print_failure(options, message);
    return list.damaged.empty() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_snapshots(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("snapshots", "list the snapshots");
    auto const arguments = std::make_shared<SnapshotsArguments>();
    command->add_flag("--forgotten", arguments->forgotten,
                      "those that are forgotten and can be taken back: `repo forget --undo ID`");
    add_filter(*command, arguments->filter);
    command->footer(
        "Examples:\n  repo snapshots\n  repo snapshots --host web1 --tag weekly --json");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_snapshots(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
