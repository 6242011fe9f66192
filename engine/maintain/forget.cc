#include "engine/forget.h"

#include <algorithm>

#include "engine/maintain/sole_needs.h"
#include "engine/repository/forgets.h"
#include "engine/repository/names.h"
#include "engine/repository/reachable.h"
#include "engine/repository/reserve.h"
#include "engine/repository/snapshot_store.h"
#include "engine/repository/tree_reader.h"
#include "engine/util/clock.h"
#include "engine/util/text.h"

namespace coffre {

namespace {

using GroupKey = std::tuple<std::string, std::vector<std::string>, std::vector<std::string>>;

GroupKey key_of(Snapshot const& snapshot, GroupBy const& by) {
    return {by.host ? snapshot.host : "",
            by.paths ? sources_of(snapshot) : std::vector<std::string>{},
            by.tags ? snapshot.tags : std::vector<std::string>{}};
}

std::map<GroupKey, std::vector<NamedSnapshot>> grouped(std::vector<NamedSnapshot> const& all,
                                                       GroupBy const& by) {
    std::map<GroupKey, std::vector<NamedSnapshot>> groups;
    for (auto const& named : all) groups[key_of(named.snapshot, by)].push_back(named);
    return groups;
}

class Forget {
public:
    Forget(Repository& repository, ForgetRequest const& request, Progress& progress)
        : repository_(repository), request_(request), progress_(progress) {}

    ForgetReport run() {
        if (request_.names.empty() && request_.rules.empty()) {
            throw std::invalid_argument(
                "say what to forget: IDs, or rules such as --keep-daily 14");
        }
        if (request_.reason == reason_of_repair) {
            throw std::invalid_argument("--reason: \"repair\" is kept for what a repair stores");
        }
        if (!request_.names.empty() && !request_.rules.empty()) {
            throw std::invalid_argument(
                "either IDs or rules of what to keep: IDs are forgotten whatever the rules say");
        }
        list_all();
        request_.names.empty() ? decide_by_rules() : decide_by_name();
        if (!request_.allow_many) report_.too_many = too_many();
        if (!report_.too_many.empty() && !request_.dry_run) {
            throw RepositoryError(RepositoryFailure::failed,
                                  report_.too_many +
                                      ": look at it with --dry-run, and say "
                                      "--allow-many if that is meant");
        }
        measure();
        if (!request_.dry_run) write_records();
        return std::move(report_);
    }

private:
    void list_all() {
        auto list = list_snapshots(repository_);
        if (!list.damaged.empty() && request_.names.empty()) {
            std::string const& damaged = list.damaged[0];
            throw corrupt(damaged + (damaged.starts_with("snapshots/")
                                         ? "; the rules are for snapshots that can be read: forget "
                                           "this one by its full ID first"
                                         : "; what was forgotten is not known: `repo repair "
                                           "--apply` first"));
        }
        list_ = std::move(list);
    }

    // By its name alone: there is nothing else to know of it.
    bool is_damaged_slot(std::string const& name) {
        auto const id = SessionId::parse(name);
        if (!id || !repository_.store().stat(names::snapshot(*id))) return false;
        try {
            read_slot(repository_, names::snapshot(*id));
            return false;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            report_.freed[*id] = 0;
            report_.is_measured = false;
            return true;
        }
    }

    // Nobody can take a pin from what cannot be read.
    void require_unreadable(std::string const& name, NamedSnapshot const& found) {
        bool const is_meant = request_.allow_many && name == found.id.hex();
        if (is_meant && is_unreadable(found)) return;
        throw RepositoryError(
            RepositoryFailure::failed,
            "snapshot " + found.id.hex().substr(0, 8) +
                " is pinned; `repo tag --unpin` lets it go, or, where its folders "
                "cannot be read, its full ID with --allow-many");
    }

    bool is_unreadable(NamedSnapshot const& found) {
        try {
            repository_.refresh_index();
            with_sound_index(repository_, [&] {
                ChunkReader reader(repository_, 0);
                DirectoryCursor(reader, found.snapshot.root.content).next();
            });
            return false;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            return true;
        }
    }

    void add_group(GroupKey const& key, std::vector<RetentionDecision> decisions) {
        auto const& [host, paths, tags] = key;
        report_.groups.push_back({host, paths, tags, std::move(decisions)});
    }

    void decide_by_rules() {
        std::vector<NamedSnapshot> chosen;
        for (auto const& named : list_.snapshots) {
            if (request_.filter.matches(named.snapshot)) chosen.push_back(named);
        }
        for (auto const& [key, group] : grouped(chosen, request_.group_by)) {
            add_group(key, apply_rules(group, request_.rules, now_ns()));
        }
    }

    void decide_by_name() {
        std::set<SessionId> named;
        for (auto const& name : request_.names) {
            if (is_damaged_slot(name)) continue;
            auto const found = find_whole_snapshot(list_, name, request_.filter);
            if (found.snapshot.pinned) require_unreadable(name, found);
            named.insert(found.id);
        }
        for (auto const& [key, group] : grouped(list_.snapshots, request_.group_by)) {
            std::vector<RetentionDecision> decisions;
            for (auto it = group.rbegin(); it != group.rend(); ++it) {
                bool const goes = named.contains(it->id);
                decisions.push_back({*it, goes ? Reasons{} : Reasons{"not named"}});
            }
            bool const is_touched = std::any_of(decisions.begin(), decisions.end(),
                                                [](auto const& d) { return !d.is_kept(); });
            if (is_touched) add_group(key, std::move(decisions));
        }
    }

    // Empty: it is not.
    std::string too_many() const {
        for (auto const& group : report_.groups) {
            auto const gone = static_cast<std::size_t>(
                std::count_if(group.decisions.begin(), group.decisions.end(),
                              [](auto const& d) { return !d.is_kept(); }));
            if (2 * gone <= group.decisions.size()) continue;
            bool const all = gone == group.decisions.size();
            bool const are_chosen = request_.names.empty() && !request_.filter.is_empty();
            std::string const host = group.host.empty() ? "" : " of " + group.host;
            return (all ? "all " : std::to_string(gone) + " of ") +
                   std::to_string(group.decisions.size()) + (are_chosen ? " chosen" : "") +
                   " snapshots" + host + " would go";
        }
        return "";
    }

    // From the newest on, so that what several of them share counts for the last one to go.
    void measure() {
        std::set<SessionId> removed;
        for (auto const& group : report_.groups) {
            for (auto const& decision : group.decisions) {
                if (!decision.is_kept()) removed.insert(decision.named.id);
            }
        }
        if (removed.empty() && !request_.measure_kept) return;
        for (auto const& id : removed) report_.freed[id] = 0;
        try {
            with_one_index(repository_, [&] { measure(removed); });
        } catch (IndexRenewed const&) {
            report_.is_measured = false;
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            report_.is_measured = false;
            progress_.report_failure("", error.what());
        }
    }

    void measure(std::set<SessionId> const& removed) {
        repository_.refresh_index();
        Reachable reachable(repository_, [](PackNumber) { return 0U; });
        auto const mark = [&](NamedSnapshot const& named) {
            progress_.check_stop();
            return reachable.mark(names::snapshot(named.id), named.snapshot.root);
        };
        std::vector<NamedSnapshot> kept;
        std::copy_if(list_.snapshots.begin(), list_.snapshots.end(), std::back_inserter(kept),
                     [&](NamedSnapshot const& named) { return !removed.contains(named.id); });
        if (request_.measure_kept) {
            measure_kept(kept, reachable);
        } else {
            for (auto const& named : kept) mark(named);
        }
        report_.freed_bytes = 0;
        for (auto named = list_.snapshots.rbegin(); named != list_.snapshots.rend(); ++named) {
            if (!removed.contains(named->id)) continue;
            std::uint64_t const bytes = report_.freed[named->id] = mark(*named);
            report_.freed_bytes += bytes;
        }
    }

    void measure_kept(std::vector<NamedSnapshot> const& kept, Reachable& reachable) {
        auto const alone = sole_needs(repository_, kept, reachable, progress_);
        for (std::size_t i = 0; i < kept.size(); ++i) report_.alone[kept[i].id] = alone[i];
    }

    void write_records() {
        std::vector<SessionId> ids;
        for (auto const& [id, bytes] : report_.freed) ids.push_back(id);
        with_reserve(repository_.store(), [&] { give_up(repository_, ids, request_.reason); });
    }

    using Reasons = std::vector<std::string>;

    Repository& repository_;
    ForgetRequest const& request_;
    Progress& progress_;
    SnapshotList list_;
    ForgetReport report_;
};

}  // namespace

GroupBy parse_group_by(std::string const& text) {
    GroupBy by{false, false, false};
    auto words = split_at_commas(text);
    if (words.back().empty()) words.pop_back();  // "" names nothing; a comma may end the list
    for (auto const& word : words) {
        if (word == "host") {
            by.host = true;
        } else if (word == "paths" || word == "path") {
            by.paths = true;
        } else if (word == "tags" || word == "tag") {
            by.tags = true;
        } else {
            throw std::invalid_argument("\"" + word + "\": group by host, paths and tags");
        }
    }
    return by;
}

ForgetReport forget(Repository& repository, ForgetRequest const& request, Progress& progress) {
    return Forget(repository, request, progress).run();
}

}  // namespace coffre
