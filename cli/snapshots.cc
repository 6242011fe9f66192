// repo snapshots: what there is to restore.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

std::string joined(std::vector<std::string> const& texts) {
    std::string all;
    for (auto const& text : texts) all += (all.empty() ? "" : ",") + printable(text);
    return all;
}

void print_table(std::vector<NamedSnapshot> const& snapshots) {
    print(fmt::format("{:8}  {:19}  {:15}  {:10}  {:>11}  {}", "ID", "Time", "Host", "Tags", "Size",
                      "Paths"));
    for (auto const& [id, snapshot] : snapshots) {
        auto sources = snapshot.paths;
        sources.insert(sources.end(), snapshot.streams.begin(), snapshot.streams.end());
        print(fmt::format("{:8}  {:19}  {:15}  {:10}  {:>11}  {}{}", id.hex().substr(0, 8),
                          time_text(snapshot.time_ns), printable(snapshot.host),
                          joined(snapshot.tags), size_text(snapshot.statistics.bytes),
                          joined(sources), snapshot.failure_count > 0 ? "  (incomplete)" : ""));
    }
    print(fmt::format("{} snapshot{}", snapshots.size(), snapshots.size() == 1 ? "" : "s"));
}

int run_snapshots(GlobalOptions const& options, SnapshotFilter const& filter) {
    auto const repository = open(options);
    auto list = list_snapshots(*repository);
    std::erase_if(list.snapshots,
                  [&](NamedSnapshot const& s) { return !filter.matches(s.snapshot); });
    if (options.json) {
        auto documents = nlohmann::json::array();
        for (auto const& named : list.snapshots) documents.push_back(json_of(named));
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
    auto const filter = std::make_shared<SnapshotFilter>();
    add_filter(*command, *filter);
    command->footer(
        "Examples:\n  repo snapshots\n  repo snapshots --host web1 --tag weekly --json");
    command->callback([&context, filter] {
        context.run = [&context, filter] { return run_snapshots(context.options, *filter); };
    });
}

}  // namespace coffre::cli
