#include "cli/nodes.h"

#include <fmt/format.h>

#include "cli/output.h"

namespace coffre::cli {

namespace {

NodeKind kind_of(char letter) {
    switch (letter) {
        case 'f':
            return NodeKind::file;
        case 'd':
            return NodeKind::directory;
        case 'l':
            return NodeKind::symlink;
        default:
            throw std::invalid_argument("--type: f (files), d (folders), l (symbolic links)");
    }
}

}  // namespace

std::string mode_text(NodeKind kind, std::uint32_t mode) {
    static constexpr std::string_view kinds = "?-dlpscb";
    std::string text(1, kinds[static_cast<std::size_t>(kind)]);
    static constexpr std::string_view bits = "rwxrwxrwx";
    for (unsigned i = 0; i < 9; ++i) text += (mode >> (8 - i) & 1U) != 0 ? bits[i] : '-';
    auto const special = [&](std::uint32_t bit, std::size_t at, char with, char without) {
        if ((mode & bit) != 0) text[at] = text[at] == 'x' ? with : without;
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

std::string path_text(std::string const& path, NodeKind kind) {
    return printable(kind == NodeKind::directory ? path + "/" : path);
}

void add_node_filter(CLI::App& command, NodeFilterArguments& arguments) {
    command.add_flag("-i,--ignore-case", arguments.ignore_case,
                     "letters A-Z and a-z are the same in patterns");
    command.add_option("--larger", arguments.larger, "only files larger than this (10M)");
    command.add_option("--smaller", arguments.smaller, "only files smaller than this");
    command.add_option("--oldest", arguments.oldest,
                       "only what was modified then or later; a day is its first moment");
    command.add_option("--newest", arguments.newest, "only what was modified then or before");
    command.add_option("--type", arguments.kinds,
                       "only files (f), folders (d), symbolic links (l), or several (fl)");
}

NodeFilter node_filter(NodeFilterArguments const& arguments) {
    NodeFilter filter(arguments.ignore_case ? NodeFilter::Case::ignored : NodeFilter::Case::exact);
    for (auto const& pattern : arguments.patterns) filter.add_pattern(pattern);
    if (!arguments.larger.empty()) filter.larger_than = parse_size(arguments.larger);
    if (!arguments.smaller.empty()) filter.smaller_than = parse_size(arguments.smaller);
    if (!arguments.oldest.empty()) filter.oldest = time_point(parse_time(arguments.oldest));
    if (!arguments.newest.empty()) filter.newest = time_point(parse_time(arguments.newest));
    for (char const letter : arguments.kinds) filter.kinds.push_back(kind_of(letter));
    return filter;
}

SnapshotList matching_snapshots(GlobalOptions const& options, Repository& repository,
                                SnapshotFilter const& filter) {
    auto list = list_snapshots(repository);
    std::erase_if(list.snapshots,
                  [&](NamedSnapshot const& s) { return !filter.matches(s.snapshot); });
    for (auto const& message : list.damaged) print_failure(options, message);
    return list;
}

std::string snapshot_text(NamedSnapshot const& named) {
    return named.id.hex().substr(0, 8) + " " + time_text(named.snapshot.time_ns);
}

}  // namespace coffre::cli
