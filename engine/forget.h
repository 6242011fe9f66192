// Giving snapshots up: by name, or by rules that thin them out as they age.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>

#include "engine/progress.h"
#include "engine/snapshots.h"

namespace coffre {

// A span of calendar time: a month is as long as the month it falls in.
struct CalendarSpan {
    int years = 0;
    int months = 0;
    int days = 0;
    int hours = 0;

    bool is_zero() const { return years == 0 && months == 0 && days == 0 && hours == 0; }
};

// "1y5m7d2h", in this order, any of them left out. Throws std::invalid_argument.
CalendarSpan parse_span(std::string const& text);

inline constexpr unsigned keep_all = ~0U;

// The newest snapshot of each of the last so many hours, days, ISO weeks, months and years that
// have any (local time); the last so many; those that hold all tags of one of `tags` ("a,b"); and
// those within a span before the newest: all, or one for each hour, day, week, month or year.
struct RetentionRules {
    struct Count {
        unsigned last = 0;
        unsigned hourly = 0;
        unsigned daily = 0;
        unsigned weekly = 0;
        unsigned monthly = 0;
        unsigned yearly = 0;
    } count;
    struct Within {
        CalendarSpan all;
        CalendarSpan hourly;
        CalendarSpan daily;
        CalendarSpan weekly;
        CalendarSpan monthly;
        CalendarSpan yearly;
    } within;
    std::vector<std::string> tags;

    bool empty() const;
};

struct RetentionDecision {
    NamedSnapshot named;
    std::vector<std::string> reasons;  // to keep it; none: it goes

    bool is_kept() const { return !reasons.empty(); }
};

// `group`: oldest first. Pinned snapshots, and those dated after `now_ns`, are kept and count for
// no rule. Kept is also the newest complete one when newer ones are incomplete. Returns the newest
// first.
std::vector<RetentionDecision> apply_rules(std::vector<NamedSnapshot> const& group,
                                           RetentionRules const& rules, std::int64_t now_ns);

struct GroupBy {
    bool host = true;
    bool paths = true;  // and streams
    bool tags = false;
};

// "host,paths" and the like; empty: one group. Throws std::invalid_argument.
GroupBy parse_group_by(std::string const& text);

struct ForgetRequest {
    std::vector<std::string> names;  // of snapshots, as find_snapshot() takes them
    SnapshotFilter filter;           // which ones the rules are for
    GroupBy group_by;
    RetentionRules rules;     // where no names are given
    bool allow_many = false;  // also all snapshots of a group, or more than half of them
    bool dry_run = false;
    bool measure_kept = false;      // also what each snapshot that stays needs alone
    std::string reason = "forget";  // kept with it; "repair" is not the user's to give
};

struct ForgetGroup {
    std::string host;  // of what the group is not grouped by: empty
    std::vector<std::string> paths;
    std::vector<std::string> tags;
    std::vector<RetentionDecision> decisions;  // newest first
};

struct ForgetReport {
    std::vector<ForgetGroup> groups;
    std::map<SessionId, std::uint64_t> freed;  // bytes that nobody else needs, once all before it
                                               // (from the oldest) are gone
    std::uint64_t freed_bytes = 0;             // by all of them, with the next collection
    std::map<SessionId, std::uint64_t> alone;  // of those that stay: bytes that no other one needs
    std::string too_many;     // of a dry run: why it would be refused without `allow_many`
    bool is_measured = true;  // false: something cannot be read, so nobody knows what is freed

    std::size_t removed() const { return freed.size(); }
};

// Decides, then gives the snapshots up, durably; until a collection they can be had back. Throws
// std::invalid_argument when neither names nor rules are given, or both, or a reason that may not
// be; RepositoryError: {failed} when a snapshot is pinned, or too many would go; {corrupt} when one
// cannot be read that the rules may concern. A snapshot that cannot be read goes by its full id.
ForgetReport forget(Repository& repository, ForgetRequest const& request, Progress& progress);

}  // namespace coffre
