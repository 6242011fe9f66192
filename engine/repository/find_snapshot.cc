// What the names of snapshots mean: an ID, latest, latest~N, latest@TIME, with :PATH.
#include <algorithm>
#include <array>
#include <ctime>

#include "engine/snapshots.h"
#include "engine/util/clock.h"

namespace coffre {

namespace {

RepositoryError not_there(std::string const& message) {
    return {RepositoryFailure::failed, message};
}

std::string local_time_text(std::int64_t ns) {
    time_t const seconds = ns / 1'000'000'000;
    struct tm parts {};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return text.data();
}

RepositoryError none_that_old(NamedSnapshot const& oldest) {
    return not_there("there is no such snapshot: none is that old; the oldest is " +
                     oldest.id.hex().substr(0, 8) + " of " +
                     local_time_text(shown_ns(oldest.snapshot)));
}

// The n-th newest of `candidates` (oldest first), not after `not_after`.
NamedSnapshot const& nth_newest(std::vector<NamedSnapshot> const& candidates, std::size_t n,
                                std::optional<std::int64_t> not_after) {
    for (auto it = candidates.rbegin(); it != candidates.rend(); ++it) {
        if (not_after && shown_ns(it->snapshot) > *not_after) continue;
        if (n-- == 0) return *it;
    }
    if (not_after && !candidates.empty()) throw none_that_old(candidates.front());
    throw not_there(candidates.empty() ? "there is no such snapshot: none matches"
                                       : "there is no such snapshot: only " +
                                             std::to_string(candidates.size()) + " match");
}

NamedSnapshot const& by_prefix(std::vector<NamedSnapshot> const& all, std::string const& prefix) {
    if (prefix.empty()) throw std::invalid_argument("no snapshot named: give an ID or latest");
    NamedSnapshot const* found = nullptr;
    for (auto const& candidate : all) {
        if (!candidate.id.hex().starts_with(prefix)) continue;
        if (found != nullptr) {
            throw not_there("several snapshots begin with " + prefix + ": give more digits");
        }
        found = &candidate;
    }
    if (found != nullptr) return *found;
    for (auto const& candidate : all) {
        bool const is_successor =
            candidate.snapshot.was && candidate.snapshot.was->hex().starts_with(prefix);
        if (!is_successor) continue;
        throw not_there("snapshot " + prefix + " is " + candidate.id.hex().substr(0, 8) +
                        " now, with other tags or taken back");
    }
    throw not_there("no snapshot begins with \"" + prefix +
                    "\"; see `repo snapshots`, and `repo snapshots --forgotten`");
}

RepositoryError not_chosen(NamedSnapshot const& found) {
    return not_there("snapshot " + found.id.hex().substr(0, 8) + " of host " + found.snapshot.host +
                     " is none of those that --host, --path and --tag choose");
}

std::size_t parse_count(std::string const& text) {
    bool const digits =
        !text.empty() && text.size() < 10 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) throw std::invalid_argument("\"latest~" + text + "\": a number must follow the ~");
    return std::stoul(text);
}

NamedSnapshot const& resolve(std::vector<NamedSnapshot> const& all, std::string const& name) {
    if (!name.starts_with("latest")) return by_prefix(all, name);
    std::string const rest = name.substr(6);
    if (rest.empty()) return nth_newest(all, 0, std::nullopt);
    if (rest[0] == '~') return nth_newest(all, parse_count(rest.substr(1)), std::nullopt);
    if (rest[0] == '@') return nth_newest(all, 0, parse_time(rest.substr(1)));
    throw std::invalid_argument("\"" + name + "\": write latest, latest~N or latest@TIME");
}

// Where the sub path begins: after the first ':' that is not part of a time.
std::size_t sub_path_colon(std::string const& name) {
    if (!name.starts_with("latest@")) return name.find(':');
    return name.find(":/");
}

// Oldest first by what they show. One that a wrong clock made is not the latest until that day.
void order_by_what_they_show(std::vector<NamedSnapshot>& snapshots) {
    std::stable_sort(snapshots.begin(), snapshots.end(), [](auto const& a, auto const& b) {
        return shown_ns(a.snapshot) < shown_ns(b.snapshot);
    });
    std::int64_t const now = now_ns();
    auto const ahead =
        std::find_if(snapshots.begin(), snapshots.end(),
                     [&](NamedSnapshot const& named) { return is_ahead(named.snapshot, now); });
    if (ahead != snapshots.begin()) snapshots.erase(ahead, snapshots.end());
}

// Of a forget that cannot be read: whether what it would give up is gone, too.
bool is_of_no_slot(SnapshotList const& list, std::string const& message) {
    if (!message.starts_with("forgets/")) return false;
    auto const id = SessionId::parse(message.substr(8, 2 * SessionId::size));
    return id && !list.slots.contains(*id);
}

// An older one must not pass for the latest.
void require_all_slots(SnapshotList const& list) {
    for (auto const& message : list.damaged) {
        if (!message.starts_with("snapshots/") && !is_of_no_slot(list, message)) continue;
        throw corrupt(message +
                      "; it may be the latest snapshot, so name the one that you want "
                      "by its ID (`repo snapshots`)");
    }
}

}  // namespace

FoundSnapshot find_snapshot(Repository& repository, std::string const& name,
                            SnapshotFilter const& filter) {
    return find_snapshot(list_snapshots(repository), name, filter);
}

NamedSnapshot find_whole_snapshot(SnapshotList const& list, std::string const& name,
                                  SnapshotFilter const& filter) {
    auto found = find_snapshot(list, name, filter);
    if (found.sub_path.empty()) return {found.id, std::move(found.snapshot)};
    throw std::invalid_argument("\"" + name +
                                "\": only a whole snapshot can be meant here, without a path");
}

FoundSnapshot find_snapshot(SnapshotList const& list, std::string const& name,
                            SnapshotFilter const& filter) {
    std::size_t const colon = sub_path_colon(name);
    std::string const key = name.substr(0, colon);
    std::string sub_path = colon == std::string::npos ? "" : name.substr(colon + 1);
    if (sub_path == "/") sub_path.clear();
    bool const is_latest = key.starts_with("latest");
    std::vector<NamedSnapshot> candidates;
    if (is_latest) {
        require_all_slots(list);
        std::copy_if(list.snapshots.begin(), list.snapshots.end(), std::back_inserter(candidates),
                     [&](NamedSnapshot const& s) { return filter.matches(s.snapshot); });
        order_by_what_they_show(candidates);
    }
    try {
        NamedSnapshot const& found = resolve(is_latest ? candidates : list.snapshots, key);
        if (!filter.matches(found.snapshot)) throw not_chosen(found);
        return {found.id, found.snapshot, sub_path};
    } catch (RepositoryError const& error) {
        if (list.damaged.empty()) throw;
        throw RepositoryError(
            RepositoryFailure::corrupt,
            std::string(error.what()) + " (and damaged: " + list.damaged[0] + ")");
    }
}

RepositoryError nothing_at(Snapshot const& snapshot, std::string const& path) {
    bool const is_relative = !path.starts_with('/') && !snapshot.paths.empty();
    std::string const hint =
        is_relative ? ": its paths begin with /, as in latest:" + snapshot.paths[0] : "";
    return not_there("the snapshot has nothing at \"" + path + "\"" + hint + "; see `repo ls`");
}

}  // namespace coffre
