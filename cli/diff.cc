// repo diff: what changed from one snapshot to another.
#include "engine/diff.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/nodes.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

struct DiffArguments {
    std::string before;
    std::string after;
    std::string path;
    SnapshotFilter filter;
    bool with_metadata = false;
};

char modifier(Difference difference) {
    switch (difference) {
        case Difference::added:
            return '+';
        case Difference::removed:
            return '-';
        case Difference::content:
            return 'M';
        case Difference::metadata:
            return 'U';
        case Difference::type:
            break;
    }
    return 'T';
}

nlohmann::json size_of(Node const* node) {
    return node != nullptr ? nlohmann::json(node->size) : nlohmann::json(nullptr);
}

void print_change(GlobalOptions const& options, Change const& change) {
    bool const is_folder = (change.after != nullptr ? change.after : change.before)->is_directory();
    std::string const path = is_folder ? change.path + "/" : change.path;
    char const letter = modifier(change.difference);
    if (!options.json) return print(fmt::format("{} {}", letter, printable(path)));
    nlohmann::json document{{"message_type", "change"},
                            {"modifier", std::string(1, letter)},
                            {"size_before", size_of(change.before)},
                            {"size_after", size_of(change.after)}};
    put_text(document, "path", path);
    print(document.dump());
}

nlohmann::json json_of(EntryTotals const& totals) {
    return {{"files", totals.files},
            {"dirs", totals.directories},
            {"others", totals.others},
            {"bytes", totals.bytes}};
}

std::string totals_text(EntryTotals const& totals) {
    return fmt::format("{} files, {} folders, {} others, {}", number_text(totals.files),
                       number_text(totals.directories), number_text(totals.others),
                       size_text(totals.bytes));
}

void print_summary(GlobalOptions const& options, FoundSnapshot const& before,
                   FoundSnapshot const& after, DiffDepth depth, DiffSummary const& summary) {
    if (options.json) {
        nlohmann::json document{
            {"message_type", "statistics"},           {"source_snapshot", before.id.hex()},
            {"target_snapshot", after.id.hex()},      {"changed", summary.changed},
            {"types_changed", summary.types_changed}, {"added", json_of(summary.added)},
            {"removed", json_of(summary.removed)}};
        if (depth == DiffDepth::metadata) document["metadata_changed"] = summary.metadata_changed;
        put_texts(document, "partial", summary.partial);
        return print(document.dump());
    }
    for (auto const& folder : summary.partial) {
        print_warning(options, folder +
                                   "/: one of the snapshots could not save all that was in it: "
                                   "what is added or removed there may be no change");
    }
    if (options.quiet) return;
    print("");
    print("added:    " + totals_text(summary.added));
    print("removed:  " + totals_text(summary.removed));
    print(fmt::format("changed:  {} contents, {} types{}", number_text(summary.changed),
                      number_text(summary.types_changed),
                      depth == DiffDepth::metadata
                          ? ", " + number_text(summary.metadata_changed) + " metadata only"
                          : "; --metadata compares modes, owners and times, too"));
}

int run_diff(GlobalOptions const& options, DiffArguments const& arguments) {
    auto const repository = open(options);
    auto before = find_snapshot(*repository, arguments.before, arguments.filter);
    auto after = find_snapshot(*repository, arguments.after, arguments.filter);
    if (!arguments.path.empty()) before.sub_path = after.sub_path = arguments.path;
    auto const depth = arguments.with_metadata ? DiffDepth::metadata : DiffDepth::contents;
    auto const summary =
        diff_snapshots(*repository, before, after, depth,
                       [&](Change const& change) { print_change(options, change); });
    print_summary(options, before, after, depth, summary);
    return exit_code::ok;
}

}  // namespace

void add_diff(CLI::App& app, Context& context) {
    auto* const command =
        app.add_subcommand("diff", "show what changed from one snapshot to another");
    auto const arguments = std::make_shared<DiffArguments>();
    command
        ->add_option("before", arguments->before,
                     "ID, latest, latest~N, latest@TIME; with :PATH, which counts for it alone")
        ->required();
    command->add_option("after", arguments->after, "the other one, likewise")->required();
    command->add_option("path", arguments->path, "only what is there, in both");
    command->add_flag("--metadata", arguments->with_metadata,
                      "also entries of which only mode, owner, attributes or time changed");
    add_filter(*command, arguments->filter);
    command->footer(
        "+ added, - removed, M contents changed, T type changed, U metadata changed.\n\n"
        "Examples:\n  repo diff latest~1 latest\n  repo diff 'latest@2026-08-01' latest /srv/media"
        "\n  repo diff --metadata 20a0b2c1:/etc 93fe11d2:/etc");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_diff(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
