// repo stats and repo version.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/output.h"
#include "engine/check.h"
#include "engine/version.h"

namespace coffre::cli {

namespace {

void print_statistics(GlobalOptions const& options, RepositoryStatistics const& s) {
    if (options.json) {
        return print(nlohmann::json{{"snapshots_count", s.snapshots},
                                    {"packs_count", s.packs},
                                    {"chunks_count", s.chunks},
                                    {"total_size", s.stored_bytes},
                                    {"total_uncompressed_size", s.plain_bytes},
                                    {"total_restore_size", s.restored_bytes}}
                         .dump());
    }
    print(fmt::format("snapshots  {}, {} if all were restored", number_text(s.snapshots),
                      size_text(s.restored_bytes)));
    print(fmt::format("chunks     {}, {} of plaintext", number_text(s.chunks),
                      size_text(s.plain_bytes)));
    print(fmt::format("stored     {}; {} packs", size_text(s.stored_bytes), number_text(s.packs)));
}

int run_stats(GlobalOptions const& options) {
    auto const repository = open(options);
    auto const statistics = gather_statistics(*repository);
    for (auto const& message : statistics.damaged) print_failure(options, message);
    print_statistics(options, statistics);
    return statistics.damaged.empty() ? exit_code::ok : exit_code::integrity;
}

}  // namespace

std::string version_text() {
    return fmt::format("repo {} (Coffre, repository format 1)", program_version);
}

namespace {

int run_version(GlobalOptions const& options) {
    if (options.json) {
        print(
            nlohmann::json{{"message_type", "version"}, {"version", program_version}, {"format", 1}}
                .dump());
    } else {
        print(version_text());
    }
    return exit_code::ok;
}

}  // namespace

void add_stats(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("stats", "how much is stored");
    command->footer("Examples:\n  repo stats\n  repo stats --json");
    command->callback(
        [&context] { context.run = [&context] { return run_stats(context.options); }; });
}

void add_version(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("version", "print the version");
    command->callback(
        [&context] { context.run = [&context] { return run_version(context.options); }; });
}

}  // namespace coffre::cli
