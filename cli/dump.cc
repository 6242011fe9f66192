// repo cat and repo dump: contents on standard output.
#include "cli/context.h"
#include "cli/output.h"
#include "engine/restore.h"

namespace coffre::cli {

namespace {

struct DumpArguments {
    std::string snapshot;
    std::string path;
    SnapshotFilter filter;
};

enum class Folders { refused, as_tar };

bool is_folder(Repository& repository, Snapshot const& snapshot, std::string const& path) {
    bool folder = false;
    walk_snapshot(repository, snapshot, path, [&](std::string const&, Node const& node) {
        folder = node.is_directory();
        return false;
    });
    return folder;
}

void dump(Repository& repository, Snapshot const& snapshot, std::string const& path,
          Folders folders) {
    if (folders == Folders::as_tar && is_folder(repository, snapshot, path)) {
        dump_tar(repository, snapshot, path, print_bytes);
    } else {
        dump_file(repository, snapshot, path, print_bytes);
    }
}

int run_dump(GlobalOptions const& options, DumpArguments const& arguments, Folders folders) {
    auto const repository = open(options);
    auto const found = find_snapshot(*repository, arguments.snapshot, arguments.filter);
    if (!arguments.path.empty() && !found.sub_path.empty())
        throw std::invalid_argument(
            "a path is named twice, after the colon and after the snapshot");
    std::string const path = arguments.path.empty() ? found.sub_path : arguments.path;
    reading(*repository, {found.id}, [&] { dump(*repository, found.snapshot, path, folders); });
    return exit_code::ok;
}

void add(CLI::App& command, Context& context, Folders folders) {
    auto const arguments = std::make_shared<DumpArguments>();
    command
        .add_option("snapshot", arguments->snapshot,
                    "ID, latest, latest~N, latest@TIME; with :PATH")
        ->required();
    command.add_option("path", arguments->path, "what of it");
    add_filter(command, arguments->filter);
    command.callback([&context, arguments, folders] {
        context.run = [&context, arguments, folders] {
            return run_dump(context.options, *arguments, folders);
        };
    });
}

}  // namespace

void add_cat(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("cat", "print a file of a snapshot");
    add(*command, context, Folders::refused);
    command->footer(
        "Examples:\n  repo cat latest:/db.sql | mysql app\n  repo cat latest~1 /etc/fstab");
}

void add_dump(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("dump", "print a file, or a folder as tar");
    add(*command, context, Folders::as_tar);
    command->footer(
        "The tar has hard links and attributes (`tar x --xattrs`), no sockets, and holes as "
        "zeros.\n\n"
        "Examples:\n  repo dump latest:/srv/media | tar tv\n  repo dump latest:/db.sql > db.sql");
}

}  // namespace coffre::cli
