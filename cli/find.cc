// repo find: in which snapshots something is.
#include "engine/find.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/nodes.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct FindArguments {
    NodeFilterArguments nodes;
    SnapshotFilter filter;
    std::vector<std::string> snapshots;
    bool human = false;
};

// Those that are named; all that match when none is.
SnapshotList chosen_snapshots(GlobalOptions const& options, Repository& repository,
                              FindArguments const& arguments) {
    if (arguments.snapshots.empty()) {
        return matching_snapshots(options, repository, arguments.filter);
    }
    auto const all = list_snapshots(repository);
    std::map<std::pair<std::int64_t, SessionId>, NamedSnapshot> chosen;
    for (auto const& name : arguments.snapshots) {
        auto found = find_snapshot(all, name, arguments.filter);
        if (!found.sub_path.empty()) {
            throw std::invalid_argument("--snapshot takes no path: give a pattern, as " +
                                        found.sub_path + "/**");
        }
        chosen[{found.snapshot.time_ns, found.id}] = {found.id, std::move(found.snapshot)};
    }
    SnapshotList list;
    for (auto& [key, named] : chosen) list.snapshots.push_back(std::move(named));
    return list;
}

void print_json(FoundVersion const& version) {
    nlohmann::json document{{"message_type", "match"},
                            {"type", kind_name(version.kind)},
                            {"size", version.size},
                            {"mode", version.mode},
                            {"uid", version.uid},
                            {"gid", version.gid},
                            {"mtime", rfc3339(version.mtime)},
                            {"snapshots", version.snapshots},
                            {"oldest_snapshot", version.oldest->id.hex()},
                            {"oldest_time", rfc3339(version.oldest->snapshot.time_ns)},
                            {"newest_snapshot", version.newest->id.hex()},
                            {"newest_time", rfc3339(version.newest->snapshot.time_ns)}};
    put_text(document, "path", version.path);
    print(document.dump());
}

void print_text(FindArguments const& arguments, FoundVersion const& version) {
    std::string const size =
        arguments.human ? size_text(version.size) : std::to_string(version.size);
    print(fmt::format("{:>12}  {:19}  {:>9}  {}  {}  {}", size, time_text(version.mtime),
                      version.snapshots, snapshot_text(*version.oldest),
                      snapshot_text(*version.newest), path_text(version.path, version.kind)));
}

void print_heading() {
    print(fmt::format("{:>12}  {:19}  {:>9}  {:28}  {:28}  {}", "Size", "Modified", "Snapshots",
                      "Oldest", "Newest", "Path"));
}

void print_summary(GlobalOptions const& options, std::uint64_t versions, std::size_t snapshots) {
    if (options.json) {
        nlohmann::json const document{
            {"message_type", "summary"}, {"matches", versions}, {"snapshots", snapshots}};
        return print(document.dump());
    }
    if (options.quiet) return;
    print(fmt::format("{} match{} in {} snapshot{}", number_text(versions),
                      versions == 1 ? "" : "es", snapshots, snapshots == 1 ? "" : "s"));
}

int run_find(GlobalOptions const& options, FindArguments const& arguments) {
    NodeFilter const filter = node_filter(arguments.nodes);
    auto const repository = open(options);
    auto const list = chosen_snapshots(options, *repository, arguments);
    std::uint64_t printed = 0;
    auto const result =
        find_versions(*repository, list.snapshots, filter, [&](FoundVersion const& version) {
            if (options.json) return print_json(version);
            if (printed++ == 0) print_heading();
            print_text(arguments, version);
        });
    for (auto const& message : result.damaged) print_failure(options, message);
    print_summary(options, result.versions, list.snapshots.size());
    bool const is_whole = list.damaged.empty() && result.damaged.empty();
    return is_whole ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_find(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("find", "find files in all snapshots, by name");
    auto const arguments = std::make_shared<FindArguments>();
    command
        ->add_option("pattern", arguments->nodes.patterns,
                     "*.jpg: the name; /srv/**/a*.jpg: the whole path; sub/*.jpg: its end")
        ->required();
    command->add_option("--snapshot", arguments->snapshots,
                        "only this one: ID, latest, latest~N, latest@TIME (repeatable)");
    add_node_filter(*command, arguments->nodes);
    command->add_flag("--human", arguments->human, "sizes as 1.24 GiB");
    add_filter(*command, arguments->filter);
    command->footer(
        "One line for each version of a file: its size and time, and the oldest and newest of the\n"
        "snapshots in which it is like that.\n\n"
        "Examples:\n  repo find invoice-2026-0815.pdf\n  repo find -i '*.JPG' '*.png' --larger 10M"
        "\n  repo find '/etc/**/*.conf' --oldest 2026-08-01 --snapshot latest");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_find(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
