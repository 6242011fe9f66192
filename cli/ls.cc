// repo ls: what a snapshot holds.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct LsArguments {
    std::string snapshot = "latest";
    std::string path;
    SnapshotFilter filter;
    bool long_form = false;
    bool recursive = true;
};

std::string mode_text(Node const& node) {
    static constexpr std::string_view kinds = "?-dlpscb";
    std::string text(1, kinds[static_cast<std::size_t>(node.kind)]);
    static constexpr std::string_view bits = "rwxrwxrwx";
    for (unsigned i = 0; i < 9; ++i) text += (node.mode >> (8 - i) & 1U) != 0 ? bits[i] : '-';
    auto const special = [&](std::uint32_t bit, std::size_t at, char with, char without) {
        if ((node.mode & bit) != 0) text[at] = text[at] == 'x' ? with : without;
    };
    special(04000, 3, 's', 'S');
    special(02000, 6, 's', 'S');
    special(01000, 9, 't', 'T');
    return text;
}

std::string kind_name(NodeKind kind) {
    static constexpr char const* names[] = {"",     "file",   "dir",     "symlink",
                                            "fifo", "socket", "chardev", "dev"};
    return names[static_cast<std::size_t>(kind)];
}

void print_node(GlobalOptions const& options, LsArguments const& arguments, std::string const& path,
                Node const& node) {
    if (options.json) {
        nlohmann::json document{{"message_type", "node"},
                                {"type", kind_name(node.kind)},
                                {"size", node.size},
                                {"mode", node.mode},
                                {"uid", node.uid},
                                {"gid", node.gid},
                                {"mtime", rfc3339(node.mtime)}};
        put_text(document, "path", path);
        put_text(document, "name", node.name);
        put_text(document, "user", node.user);
        put_text(document, "group", node.group);
        if (node.kind == NodeKind::symlink) put_text(document, "linktarget", node.target);
        return print(document.dump());
    }
    std::string const shown = printable(path);
    if (!arguments.long_form) return print(shown);
    std::string const owner = node.user.empty() ? std::to_string(node.uid) : node.user;
    std::string const group = node.group.empty() ? std::to_string(node.gid) : node.group;
    std::string const target =
        node.kind == NodeKind::symlink ? " -> " + printable(node.target) : "";
    print(fmt::format("{} {:8} {:8} {:>12} {} {}{}", mode_text(node), owner, group, node.size,
                      time_text(node.mtime), shown, target));
}

int run_ls(GlobalOptions const& options, LsArguments const& arguments) {
    auto const repository = open(options);
    auto const found = find_snapshot(*repository, arguments.snapshot, arguments.filter);
    std::string const path = arguments.path.empty() ? found.sub_path : arguments.path;
    bool first = true;
    walk_snapshot(*repository, found.snapshot, path, [&](std::string const& at, Node const& node) {
        bool const is_start = first;
        first = false;
        if (!is_start || !node.is_directory()) print_node(options, arguments, at, node);
        return is_start || arguments.recursive;
    });
    return exit_code::ok;
}

}  // namespace

void add_ls(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("ls", "list the files of a snapshot");
    auto const arguments = std::make_shared<LsArguments>();
    command->add_option("snapshot", arguments->snapshot,
                        "ID, latest, latest~N, latest@TIME; with :PATH");
    command->add_option("path", arguments->path, "a folder of it");
    command->add_flag("-l,--long", arguments->long_form, "modes, owners, sizes and times too");
    command->add_flag("!--no-recursion", arguments->recursive, "only the folder itself");
    add_filter(*command, arguments->filter);
    command->footer(
        "Examples:\n  repo ls latest\n  repo ls -l 'latest@2026-08-02 13:00:/srv/media'");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_ls(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
