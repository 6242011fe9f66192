// repo log: what became of one file.
#include "engine/log.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/nodes.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct LogArguments {
    std::string path;
    SnapshotFilter filter;
    bool human = false;
};

std::string name_of(Happened happened) {
    static constexpr char const* names[] = {"created", "content", "metadata", "type", "removed"};
    return names[static_cast<std::size_t>(happened)];
}

void print_json(std::string const& path, PathVersion const& version) {
    nlohmann::json document{{"message_type", "version"},
                            {"change", name_of(version.happened)},
                            {"snapshot_id", version.first->id.hex()},
                            {"time", rfc3339(version.first->snapshot.time_ns)},
                            {"last_snapshot_id", version.last->id.hex()},
                            {"last_time", rfc3339(version.last->snapshot.time_ns)},
                            {"snapshots", version.snapshots}};
    put_text(document, "path", path);
    put_text(document, "hostname", version.first->snapshot.host);
    if (Node const* const node = version.node) {
        document.update({{"type", kind_name(node->kind)},
                         {"size", node->size},
                         {"mode", node->mode},
                         {"uid", node->uid},
                         {"gid", node->gid},
                         {"mtime", rfc3339(node->mtime)}});
    }
    print(document.dump());
}

void print_heading(std::string const& host) {
    print("on " + printable(host) + ":");
    print(fmt::format("{:19}  {:8}  {:8}  {:10}  {:>12}  {:19}  {}", "Time", "ID", "Change", "Mode",
                      "Size", "Modified", "Snapshots"));
}

std::string line_of(LogArguments const& arguments, PathVersion const& version) {
    std::string mode;
    std::string size;
    std::string mtime;
    if (Node const* const node = version.node) {
        mode = mode_text(node->kind, node->mode);
        size = arguments.human ? size_text(node->size) : std::to_string(node->size);
        mtime = time_text(node->mtime);
    }
    return fmt::format("{:19}  {:8}  {:8}  {:10}  {:>12}  {:19}  {:>9}",
                       time_text(version.first->snapshot.time_ns),
                       version.first->id.hex().substr(0, 8), name_of(version.happened), mode, size,
                       mtime, version.snapshots);
}

int run_log(GlobalOptions const& options, LogArguments const& arguments) {
    auto const repository = open(options);
    auto const list = matching_snapshots(options, *repository, arguments.filter);
    std::string const* host = nullptr;
    auto const show = [&](PathVersion const& version) {
        if (options.json) return print_json(arguments.path, version);
        std::string const& this_host = version.first->snapshot.host;
        if (host == nullptr || *host != this_host) print_heading(this_host);
        host = &this_host;
        print(line_of(arguments, version));
    };
    auto const damaged = log_path(*repository, list.snapshots, arguments.path, show);
    for (auto const& message : damaged) print_failure(options, message);
    bool const is_whole = list.damaged.empty() && damaged.empty();
    return is_whole ? exit_code::ok : exit_code::integrity;
}

}  // namespace

void add_log(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("log", "show what became of one file or folder");
    auto const arguments = std::make_shared<LogArguments>();
    command
        ->add_option("path", arguments->path, "its path in the snapshots, as `repo ls` prints it")
        ->required();
    command->add_flag("--human", arguments->human, "sizes as 1.24 GiB");
    add_filter(*command, arguments->filter);
    command->footer(
        "A line for each time it changed: the first snapshot that has it so, and how many have it\n"
        "so in a row. Change: created, content, metadata (mode, owner, attributes or time only),\n"
        "type (a file where a folder was) or removed. Several hosts are shown one by one.\n\n"
        "Examples:\n  repo log /etc/passwd\n  repo log /srv/media/logo.svg --host web1 --json");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_log(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
