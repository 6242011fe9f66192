// repo status: is all saved, checked and in its place?
#include "engine/status.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "cli/metrics.h"
#include "cli/output.h"

namespace coffre::cli {

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

struct StatusArguments {
    SnapshotFilter filter;
    std::string max_age;
    std::string metrics;
    bool garbage = false;
};

std::string group_name(SnapshotGroup const& group) {
    Snapshot const& snapshot = group.newest.snapshot;
    return printable(snapshot.host) + ":" + joined(sources_of(snapshot), ",");
}

std::int64_t age_s(RepositoryStatus const& status, std::int64_t ns) {
    return (status.now_ns - ns) / second_ns;
}

// What --max-age has to say.
std::vector<std::string> too_old(RepositoryStatus const& status, StatusArguments const& arguments) {
    std::vector<std::string> messages;
    if (arguments.max_age.empty()) return messages;
    std::int64_t const limit_s = parse_duration(arguments.max_age);
    if (status.groups.empty()) messages.emplace_back("there is no snapshot");
    if (status.last_check && status.last_check->errors > 0) {
        messages.push_back(
            fmt::format("the last check found {} errors", number_text(status.last_check->errors)));
    }
    if (status.verification.packs_damaged > 0) {
        messages.push_back(fmt::format("{} packs were damaged when they were last read",
                                       number_text(status.verification.packs_damaged)));
    }
    for (auto const& group : status.groups) {
        if (group.is_superseded) continue;
        if (group.is_ahead) {
            messages.push_back("the newest snapshot of " + group_name(group) +
                               " is dated in the future: the clock was wrong");
        }
        if (group.age_s <= limit_s) continue;
        messages.push_back(fmt::format("the newest snapshot of {} is {} old, more than {}",
                                       group_name(group), age_text(group.age_s),
                                       arguments.max_age));
    }
    return messages;
}

void print_groups(RepositoryStatus const& status) {
    for (auto const& group : status.groups) {
        Snapshot const& snapshot = group.newest.snapshot;
        std::string const failures =
            snapshot.failure_count == 0
                ? ""
                : fmt::format(", {} failures", number_text(snapshot.failure_count));
        print(fmt::format("saved     {}: {} snapshots, the newest {} of {}, {} ago, {}{}",
                          group_name(group), number_text(group.snapshots),
                          group.newest.id.hex().substr(0, 8), time_text(snapshot.time_ns),
                          age_text(group.age_s), size_text(snapshot.statistics.bytes), failures));
    }
    if (status.groups.empty()) print("saved     nothing: there is no snapshot");
}

std::string run_text(RepositoryStatus const& status, std::optional<CheckRun> const& run) {
    if (!run) return "never";
    std::string const errors =
        run->errors == 0 ? "" : fmt::format(", errors found: {}", number_text(run->errors));
    return fmt::format("{} ago{}", age_text(age_s(status, run->time_s * second_ns)), errors);
}

void print_checks(RepositoryStatus const& status) {
    print(fmt::format("checked   {}; all data at once: {}", run_text(status, status.last_check),
                      run_text(status, status.last_read_data)));
    print("verified  " + verification_text(status.verification, status.now_ns / second_ns));
}

void print_storage(RepositoryStatus const& status) {
    print(fmt::format("stored    {}; {} packs", size_text(status.stored_bytes),
                      number_text(status.packs)));
    for (auto const& growth : status.growth) {
        auto const each = growth.bytes_stored / std::max<std::uint64_t>(growth.snapshots, 1);
        print(fmt::format("growth    in {} days {} snapshots, {} each, {} a day", growth.days,
                          number_text(growth.snapshots), size_text(each),
                          size_text(growth.bytes_stored / growth.days)));
    }
    if (status.garbage) {
        print(fmt::format("garbage   {} packs, {}, and {} among what is needed: see `repo prune`",
                          number_text(status.garbage->packs), size_text(status.garbage->bytes),
                          size_text(status.garbage->bytes_among_needed)));
    }
    if (status.condemned) {
        print(fmt::format("condemned {} packs, {}: the next prune removes what is still unused",
                          number_text(status.condemned->packs),
                          size_text(status.condemned->bytes)));
    }
}

void print_copies(RepositoryStatus const& status) {
    for (auto const& copy : status.copies) {
        print(fmt::format("copied    to {}: the newest of {}, {} ago", printable(copy.destination),
                          time_text(copy.time_ns), age_text(age_s(status, copy.copied_ns))));
    }
    if (status.copies.empty()) print("copied    nowhere by this machine: see `repo copy`");
}

void print_sessions(RepositoryStatus const& status) {
    for (auto const& session : status.open_sessions) {
        std::string sign;
        if (session.has_ended) {
            sign = ", was cut short";
        } else if (session.last_sign_ns != 0) {
            sign = fmt::format(", last sign of life {} ago",
                               age_text(age_s(status, session.last_sign_ns)));
        }
        print(fmt::format("open      {} by {}, process {}, begun {} ago{}",
                          session.id.hex().substr(0, 8), printable(session.host), session.pid,
                          age_text(age_s(status, session.begun_ns)), sign));
    }
}

void print_text(RepositoryStatus const& status, GlobalOptions const& options) {
    if (options.quiet) return;
    print_groups(status);
    print_checks(status);
    print_storage(status);
    print_copies(status);
    print_sessions(status);
    if (status.paths_beside.empty()) return;
    print_warning(options, same_disk_text(status.paths_beside));
}

nlohmann::json json_of(SnapshotGroup const& group) {
    Snapshot const& snapshot = group.newest.snapshot;
    nlohmann::json document{{"snapshots", group.snapshots},
                            {"last_id", group.newest.id.hex()},
                            {"last_time", rfc3339(snapshot.time_ns)},
                            {"last_age", std::max<std::int64_t>(group.age_s, 0)},
                            {"last_size", snapshot.statistics.bytes},
                            {"last_failures", snapshot.failure_count},
                            {"superseded", group.is_superseded},
                            {"is_ahead", group.is_ahead}};
    put_text(document, "hostname", snapshot.host);
    put_texts(document, "paths", snapshot.paths);
    put_texts(document, "streams", snapshot.streams);
    return document;
}

nlohmann::json json_of(Growth const& growth) {
    return {{"days", growth.days},
            {"snapshots", growth.snapshots},
            {"bytes_stored", growth.bytes_stored}};
}

nlohmann::json json_of(CopyElsewhere const& copy) {
    nlohmann::json document{{"repository", copy.repository.hex()},
                            {"newest_time", rfc3339(copy.time_ns)},
                            {"copied", rfc3339(copy.copied_ns)}};
    put_text(document, "destination", copy.destination);
    return document;
}

nlohmann::json json_of(UnfinishedSession const& session) {
    nlohmann::json document{{"id", session.id.hex()},
                            {"pid", session.pid},
                            {"begun", rfc3339(session.begun_ns)},
                            {"has_ended", session.has_ended}};
    if (session.last_sign_ns != 0) document["last_sign_of_life"] = rfc3339(session.last_sign_ns);
    put_text(document, "hostname", session.host);
    return document;
}

template <class Items>
nlohmann::json list_of(Items const& items) {
    auto documents = nlohmann::json::array();
    for (auto const& item : items) documents.push_back(json_of(item));
    return documents;
}

void put_run(nlohmann::json& document, std::string const& key, std::optional<CheckRun> const& run) {
    if (!run) return;
    document[key] = {{"time", rfc3339(run->time_s * second_ns)}, {"errors", run->errors}};
}

nlohmann::json json_of(RepositoryStatus const& status) {
    Verification const& verification = status.verification;
    nlohmann::json document{{"message_type", "repository_status"},
                            {"time", rfc3339(status.now_ns)},
                            {"groups", list_of(status.groups)},
                            {"growth", list_of(status.growth)},
                            {"copies", list_of(status.copies)},
                            {"open_sessions", list_of(status.open_sessions)},
                            {"packs", status.packs},
                            {"total_size", status.stored_bytes},
                            {"packs_never_verified", verification.packs_never},
                            {"bytes_never_verified", verification.bytes_never},
                            {"packs_damaged", verification.packs_damaged}};
    if (verification.oldest_s) {
        document["oldest_verification"] = rfc3339(*verification.oldest_s * second_ns);
    }
    put_run(document, "last_check", status.last_check);
    put_run(document, "last_read_data_check", status.last_read_data);
    if (status.condemned) {
        document["condemned"] = {{"packs", status.condemned->packs},
                                 {"bytes", status.condemned->bytes}};
    }
    if (status.garbage) {
        document["garbage"] = {{"packs", status.garbage->packs},
                               {"bytes", status.garbage->bytes},
                               {"bytes_among_needed", status.garbage->bytes_among_needed}};
    }
    put_texts(document, "paths_on_same_file_system", status.paths_beside);
    put_texts(document, "errors", status.errors);
    return document;
}

int run_status(GlobalOptions const& options, StatusArguments const& arguments) {
    if (!arguments.max_age.empty()) parse_duration(arguments.max_age);  // before anything is done
    auto const repository = open(options);
    auto const status = gather_status(*repository, {arguments.filter, repository_location(options),
                                                    std::nullopt, arguments.garbage});
    if (!arguments.metrics.empty()) replace_metrics(arguments.metrics, metrics_text(status));
    if (options.json) {
        print(json_of(status).dump());
    } else {
        print_text(status, options);
    }
    auto const old = too_old(status, arguments);
    for (auto const& message : status.errors) print_failure(options, message);
    for (auto const& message : old) print_failure(options, message);
    if (!status.errors.empty()) return exit_code::integrity;
    return old.empty() ? exit_code::ok : exit_code::failed;
}

}  // namespace

void add_status(CLI::App& app, Context& context) {
    auto* const command = app.add_subcommand("status", "is all saved, checked and in its place?");
    auto const arguments = std::make_shared<StatusArguments>();
    add_filter(*command, arguments->filter);
    command->add_option("--max-age", arguments->max_age,
                        "fail (exit code 1) when the newest snapshot of a host and its paths is "
                        "older (90s 10m 26h 30d) and no newer one has all of these paths, is dated "
                        "in the future, there is none, the last check found errors, or a pack was "
                        "damaged when it was last read");
    command->add_option("--metrics", arguments->metrics,
                        "also write a file for Prometheus: what it held is replaced at once");
    command->add_flag("--garbage", arguments->garbage,
                      "also count what no snapshot needs: walks the trees of all snapshots");
    command->footer(R"(Examples:
  repo status
  repo status --garbage
  repo status -q --max-age 26h                    for monitoring: exit code 1 says too old
  repo status -q --metrics /var/lib/prometheus/node-exporter/coffre.prom

When packs were verified is what this machine knows from its own `repo check --read-data`.)");
    command->callback([&context, arguments] {
        context.run = [&context, arguments] { return run_status(context.options, *arguments); };
    });
}

}  // namespace coffre::cli
