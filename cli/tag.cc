// repo tag: other tags for snapshots, and the pin that keeps them.
#include "engine/tag.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "cli/context.h"
#include "cli/nodes.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct TagArguments {
    std::vector<std::string> names;
    SnapshotFilter filter;
    std::vector<std::string> set;
    TagChange change;
    bool pin = false;
    bool unpin = false;
};

// By their names, or all that match; those that may and are damaged are named.
SnapshotList chosen(GlobalOptions const& options, Repository& repository,
                    TagArguments const& arguments) {
    if (arguments.names.empty()) return matching_snapshots(options, repository, arguments.filter);
    auto const list = list_snapshots(repository);
    SnapshotList named;
    std::set<SessionId> seen;
    for (auto const& name : arguments.names) {
        auto found = find_whole_snapshot(list, name, arguments.filter);
        if (seen.insert(found.id).second) named.snapshots.push_back(std::move(found));
    }
    return named;
}

void read_change(TagArguments& arguments) {
    TagChange& change = arguments.change;
    if (!arguments.set.empty()) change.set = arguments.set;
    if (arguments.pin && arguments.unpin) {
        throw std::invalid_argument("--pin and --unpin exclude each other");
    }
    if (arguments.pin || arguments.unpin) change.pin = arguments.pin;
    if (change.empty()) {
        throw std::invalid_argument("say what to change: --add, --remove, --set, --pin or --unpin");
    }
    if (arguments.names.empty() && arguments.filter.is_empty()) {
        throw std::invalid_argument("say which snapshots: IDs, or --host, --path, --tag");
    }
}

void print_change(GlobalOptions const& options, Republished const& done) {
    if (options.json) {
        auto document = snapshot_json(done.now);
        document["message_type"] = "changed";
        document["was"] = done.was.hex();
        return print(document.dump());
    }
    if (!options.quiet) {
        print("snapshot " + done.was.hex().substr(0, 8) + " is now " +
              done.now.id.hex().substr(0, 8));
    }
}

int run_tag(GlobalOptions const& options, TagArguments& arguments) {
    read_change(arguments);
    auto const repository = open(options);
    Progress progress;
    auto const list = chosen(options, *repository, arguments);
    auto const changed = change_tags(*repository, list.snapshots, arguments.change, progress,
                                     [&](Republished const& done) { print_change(options, done); });
    if (!options.quiet && !options.json) {
        print(fmt::format("changed {} snapshot{}", changed.size(), changed.size() == 1 ? "" : "s"));
    }
    return list.damaged.empty() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_tag(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("tag", "change the tags of snapshots, or pin them");
    auto const arguments = std::make_shared<TagArguments>();
    command->add_option("snapshots", arguments->names, "IDs, latest, latest~N, latest@TIME");
    auto* const add =
        command->add_option("--add", arguments->change.add, "a tag they get (a,b: two)")
            ->delimiter(',')
            ->check(check_tag);
    auto* const remove =
        command->add_option("--remove", arguments->change.remove, "a tag they lose (a,b: two)")
            ->delimiter(',');
    command->add_option("--set", arguments->set, "the tags they have instead of theirs (a,b: two)")
        ->delimiter(',')
        ->check(check_tag)
        ->excludes(add)
        ->excludes(remove);
    command->add_flag("--pin", arguments->pin, "never forget them");
    command->add_flag("--unpin", arguments->unpin, "let them go again");
    add_filter(*command, arguments->filter);
    command->footer(
        "A changed snapshot is published anew and has another ID.\n\n"
        "Examples:\n  repo tag latest --add before-upgrade --pin\n  repo tag --tag old --remove "
        "old");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_tag(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
