// Which snapshots the rules keep, and why.
#include <algorithm>
#include <array>
#include <ctime>
#include <limits>

#include "engine/forget.h"
#include "engine/util/clock.h"

namespace coffre {

namespace {

struct tm local_time(std::int64_t ns) {
    auto seconds = static_cast<std::time_t>(ns / second_ns - (ns % second_ns < 0 ? 1 : 0));
    struct tm tm {};
    ::localtime_r(&seconds, &tm);
    return tm;
}

std::string calendar(std::int64_t ns, char const* format) {
    struct tm const tm = local_time(ns);
    char text[64];
    return {text, std::strftime(text, sizeof text, format, &tm)};
}

// The earliest moment there is when the span goes back further than that.
std::int64_t before(std::int64_t ns, CalendarSpan const& span) {
    // Of a time that the clocks show twice, the calendar knows only one.
    bool const is_of_hours = span.years == 0 && span.months == 0 && span.days == 0;
    if (is_of_hours && span.hours < 1'000'000)
        return ns - std::int64_t{span.hours} * 3600 * second_ns;
    struct tm tm = local_time(ns);
    tm.tm_year -= span.years;
    tm.tm_mon -= span.months;
    tm.tm_mday -= span.days;
    tm.tm_isdst = -1;
    std::int64_t const day = std::mktime(&tm);
    // Hours are as long as they are, whatever the clocks show.
    std::int64_t const seconds = day - std::int64_t{span.hours} * 3600;
    constexpr auto earliest = std::numeric_limits<std::int64_t>::min();
    // -1 also says that there is no such time.
    if (day == -1 || seconds < earliest / second_ns) return earliest;
    return seconds * second_ns;
}

// One rule's memory of what it has seen, from the newest on.
struct Rule {
    std::string name;
    char const* period;  // of strftime(); empty: each snapshot is one of its own
    unsigned left = 0;   // periods still to be kept
    std::optional<std::int64_t> not_before;
    std::string last_period;

    // A rule whose periods go further back than the group keeps its oldest snapshot.
    bool keeps(Snapshot const& snapshot, bool is_oldest) {
        if (left == 0 || (not_before && snapshot.time_ns < *not_before)) return false;
        std::string const now = calendar(snapshot.time_ns, period);
        if (*period != '\0' && now == last_period && !is_oldest) return false;
        last_period = now;
        if (left != keep_all) --left;
        return true;
    }
};

constexpr char const* each_hour = "%Y-%m-%d %H %z";
constexpr char const* each_day = "%Y-%m-%d";
constexpr char const* each_week = "%G-%V";
constexpr char const* each_month = "%Y-%m";
constexpr char const* each_year = "%Y";

std::vector<Rule> rules_of(RetentionRules const& wanted, std::int64_t newest_ns) {
    auto const& count = wanted.count;
    auto const& within = wanted.within;
    std::vector<Rule> rules;
    auto const add = [&](char const* name, char const* period, unsigned left) {
        if (left > 0) rules.push_back({name, period, left, std::nullopt, ""});
    };
    auto const add_within = [&](char const* name, char const* period, CalendarSpan const& span) {
        if (!span.is_zero()) rules.push_back({name, period, keep_all, before(newest_ns, span), ""});
    };
    add("last", "", count.last);
    add("hourly", each_hour, count.hourly);
    add("daily", each_day, count.daily);
    add("weekly", each_week, count.weekly);
    add("monthly", each_month, count.monthly);
    add("yearly", each_year, count.yearly);
    add_within("within", "", within.all);
    add_within("hourly within", each_hour, within.hourly);
    add_within("daily within", each_day, within.daily);
    add_within("weekly within", each_week, within.weekly);
    add_within("monthly within", each_month, within.monthly);
    add_within("yearly within", each_year, within.yearly);
    return rules;
}

// What keeps a snapshot whatever the rules say.
std::vector<std::string> exemptions(Snapshot const& snapshot, std::int64_t now_ns) {
    std::vector<std::string> reasons;
    if (snapshot.pinned) reasons.emplace_back("pinned");
    if (snapshot.time_ns > now_ns) reasons.emplace_back("dated in the future");
    return reasons;
}

// While sources cannot be read whole, the last snapshot of all that they held is not to go.
class NewestComplete {
public:
    // To be asked of each, from the newest on; false when there is no newer one at all.
    bool is(Snapshot const& snapshot) {
        if (is_found_) return false;
        is_found_ = snapshot.failure_count == 0;
        has_newer_ |= !is_found_;
        return is_found_ && has_newer_;
    }

private:
    bool is_found_ = false;
    bool has_newer_ = false;
};

std::vector<std::string> names_of_keeping(std::vector<Rule>& rules, Snapshot const& snapshot,
                                          bool is_oldest) {
    std::vector<std::string> names;
    for (auto& rule : rules) {
        if (rule.keeps(snapshot, is_oldest)) names.push_back(rule.name);
    }
    return names;
}

int take_number(std::string const& text, std::size_t& at) {
    std::size_t const start = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    if (at == start || at - start > 6) return -1;
    return std::stoi(text.substr(start, at - start));
}

}  // namespace

CalendarSpan parse_span(std::string const& text) {
    CalendarSpan span;
    std::string_view units = "ymdh";
    std::array<int*, 4> const fields{&span.years, &span.months, &span.days, &span.hours};
    std::size_t next = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        int const number = take_number(text, at);
        std::size_t const unit = at < text.size() ? units.find(text[at], next) : units.npos;
        next = number < 0 || unit >= units.size() ? units.size() + 1 : unit + 1;
        if (next > units.size()) break;
        *fields.at(unit) = number;
    }
    if (span.is_zero() || next > units.size()) {
        throw std::invalid_argument("\"" + text +
                                    "\" is not a span of time: write 1y6m, 30d or 2d12h");
    }
    return span;
}

bool RetentionRules::empty() const {
    return rules_of(*this, 0).empty() && tags.empty();
}

std::vector<RetentionDecision> apply_rules(std::vector<NamedSnapshot> const& group,
                                           RetentionRules const& rules, std::int64_t now_ns) {
    std::vector<RetentionDecision> decisions;
    std::optional<std::vector<Rule>> active;
    NewestComplete newest_complete;
    SnapshotFilter const tagged{{}, {}, rules.tags};
    for (auto named = group.rbegin(); named != group.rend(); ++named) {
        Snapshot const& snapshot = named->snapshot;
        auto reasons = exemptions(snapshot, now_ns);
        if (reasons.empty()) {
            if (!active) active = rules_of(rules, snapshot.time_ns);
            reasons = names_of_keeping(*active, snapshot, std::next(named) == group.rend());
        }
        if (!rules.tags.empty() && tagged.matches(snapshot)) reasons.emplace_back("tagged");
        bool const is_ahead = snapshot.time_ns > now_ns;
        if (!is_ahead && newest_complete.is(snapshot)) reasons.emplace_back("newest complete");
        decisions.push_back({*named, std::move(reasons)});
    }
    return decisions;
}

}  // namespace coffre
