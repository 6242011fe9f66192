// repo ls: what a snapshot holds.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/nodes.h"
#include "cli/output.h"
#include "engine/error.h"

namespace coffre::cli {

namespace {

constexpr std::size_t sort_limit = 2'000'000;

struct LsArguments {
    std::string snapshot = "latest";
    std::string path;
    SnapshotFilter filter;
    NodeFilterArguments nodes;
    std::string sort;
    bool long_form = false;
    bool recursive = true;
    bool human = false;
};

std::string json_line(std::string const& path, Node const& node) {
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
    return document.dump();
}

std::string line_of(GlobalOptions const& options, LsArguments const& arguments,
                    std::string const& path, Node const& node) {
    if (options.json) return json_line(path, node);
    std::string shown = printable(path);
    if (!arguments.long_form) return shown;
    std::string const size = arguments.human ? size_text(node.size) : std::to_string(node.size);
    std::string const owner = node.user.empty() ? std::to_string(node.uid) : node.user;
    std::string const group = node.group.empty() ? std::to_string(node.gid) : node.group;
    std::string const target =
        node.kind == NodeKind::symlink ? " -> " + printable(node.target) : "";
    return fmt::format("{} {:8} {:8} {:>12} {} {}{}", mode_text(node.kind, node.mode),
                       printable(owner), printable(group), size, time_text(node.mtime), shown,
                       target);
}

// What is to be sorted: about 250 bytes each.
struct SortedLine {
    std::string name;
    std::uint64_t size;
    TimePoint mtime;
    std::string line;
};

using Order = bool (*)(SortedLine const&, SortedLine const&);

// Throws std::invalid_argument.
Order order_of(std::string const& sort) {
    if (sort == "name") return [](auto const& a, auto const& b) { return a.name < b.name; };
    if (sort == "size") return [](auto const& a, auto const& b) { return a.size > b.size; };
    if (sort == "time") return [](auto const& a, auto const& b) { return a.mtime > b.mtime; };
    throw std::invalid_argument("--sort: name, size (largest first) or time (newest first)");
}

// Prints at once, or keeps what is to be sorted.
class Listing {
public:
    Listing(GlobalOptions const& options, LsArguments const& arguments)
        : options_(options), arguments_(arguments), filter_(node_filter(arguments.nodes)) {
        if (!arguments.sort.empty()) order_ = order_of(arguments.sort);
    }

    void add(std::string const& path, Node const& node) {
        std::string const folder = path.substr(0, path.rfind('/'));
        if (!filter_.matches(folder, node)) return;
        std::string line = line_of(options_, arguments_, path, node);
        if (order_ == nullptr) return print(line);
        if (lines_.size() == sort_limit) {
            throw RepositoryError(RepositoryFailure::failed,
                                  "too many entries to sort: narrow the list");
        }
        lines_.push_back({node.name, node.size, node.mtime, std::move(line)});
    }

    void finish() {
        if (order_ == nullptr) return;
        std::stable_sort(lines_.begin(), lines_.end(), order_);
        for (auto const& sorted : lines_) print(sorted.line);
    }

private:
    GlobalOptions const& options_;
    LsArguments const& arguments_;
    NodeFilter filter_;
    Order order_ = nullptr;
    std::vector<SortedLine> lines_;
};

int run_ls(GlobalOptions const& options, LsArguments const& arguments) {
    Listing listing(options, arguments);
    auto const repository = open(options);
    auto const found = find_snapshot(*repository, arguments.snapshot, arguments.filter);
    std::string const path = arguments.path.empty() ? found.sub_path : arguments.path;
    bool first = true;
    auto const visit = [&](std::string const& at, Node const& node) {
        bool const is_start = first;
        first = false;
        if (!is_start || !node.is_directory()) listing.add(at, node);
        return is_start || arguments.recursive;
    };
    std::vector<std::string> damage;
    auto const damaged = [&](std::string const& message) { damage.push_back(message); };
    reading(*repository, {found.id},
            [&] { walk_snapshot(*repository, found.snapshot, path, visit, damaged); });
    if (!damage.empty()) require_not_given_up(*repository, found.id);
    listing.finish();
    for (auto const& message : damage) print_failure(options, message);
    return damage.empty() ? exit_code::ok : exit_code::integrity;
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
    command->add_flag("--human", arguments->human, "with -l: sizes as 1.24 GiB");
    command->add_option("--sort", arguments->sort,
                        "name, size (largest first) or time (newest first); 2,000,000 at most");
    command->add_option("--match", arguments->nodes.patterns,
                        "only what matches, as in `repo find` (repeatable)");
    add_node_filter(*command, arguments->nodes);
    add_filter(*command, arguments->filter);
    command->footer(
        "Examples:\n  repo ls latest\n  repo ls -l 'latest@2026-08-02 13:00:/srv/media'\n"
        "  repo ls -l --human --sort size --match '*.sql' latest");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_ls(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
