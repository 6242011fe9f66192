#include "engine/status.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/maintain/check_memory.h"
#include "engine/maintain/open_sessions.h"
#include "engine/prune.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/repository.h"
#include "engine/util/clock.h"
#include "engine/util/host.h"

namespace coffre {

namespace {

constexpr std::int64_t day_ns = 86'400 * second_ns;

std::optional<dev_t> device_of(std::string const& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? std::optional(status.st_dev) : std::nullopt;
}

// What a group saves, sorted.
struct GroupSources {
    std::string host;
    std::vector<std::string> paths;
    std::vector<std::string> streams;

    explicit GroupSources(Snapshot const& snapshot)
        : host(snapshot.host), paths(snapshot.paths), streams(snapshot.streams) {
        std::sort(paths.begin(), paths.end());
        std::sort(streams.begin(), streams.end());
    }
    bool has_all_of(GroupSources const& other) const {
        return host == other.host && contains_all(paths, other.paths) &&
               contains_all(streams, other.streams);
    }

private:
    static bool contains_all(std::vector<std::string> const& all,
                             std::vector<std::string> const& some) {
        return std::includes(all.begin(), all.end(), some.begin(), some.end());
    }
};

void mark_superseded(std::vector<SnapshotGroup>& groups) {
    std::vector<GroupSources> sources;
    sources.reserve(groups.size());
    for (auto const& one : groups) sources.emplace_back(one.newest.snapshot);
    for (std::size_t i = 0; i < groups.size(); ++i) {
        for (std::size_t other = 0; other < groups.size() && !groups[i].is_superseded; ++other) {
            groups[i].is_superseded = !groups[other].is_ahead &&
                                      groups[other].newest_ns > groups[i].newest_ns &&
                                      sources[other].has_all_of(sources[i]);
        }
    }
}

std::vector<SnapshotGroup> group(std::vector<NamedSnapshot> const& oldest_first,
                                 std::int64_t now_ns) {
    using Key = std::tuple<std::string, std::vector<std::string>, std::vector<std::string>>;
    std::map<Key, SnapshotGroup> groups;
    for (auto const& named : oldest_first) {
        Snapshot const& snapshot = named.snapshot;
        SnapshotGroup& one = groups[{snapshot.host, snapshot.paths, snapshot.streams}];
        // One that is ahead would hide all that is saved until then.
        bool const is_newer = shown_ns(snapshot) >= one.newest_ns && !is_ahead(snapshot, now_ns);
        if (++one.snapshots > 1 && !is_newer) continue;
        one.newest = named;
        one.newest_ns = shown_ns(snapshot);
        one.age_s = (now_ns - one.newest_ns) / second_ns;
        one.is_ahead = is_ahead(snapshot, now_ns);
    }
    std::vector<SnapshotGroup> list;
    list.reserve(groups.size());
    for (auto& [key, one] : groups) list.push_back(std::move(one));
    mark_superseded(list);
    return list;
}

Growth growth_of(std::vector<NamedSnapshot> const& snapshots, std::int64_t now_ns, unsigned days) {
    Growth growth{days};
    for (auto const& [id, snapshot] : snapshots) {
        if (now_ns - snapshot.started_ns > days * day_ns || is_ahead(snapshot, now_ns)) continue;
        ++growth.snapshots;
        growth.bytes_stored += snapshot.statistics.bytes_stored;
    }
    return growth;
}

class Gatherer {
public:
    Gatherer(Repository& repository, StatusRequest const& request)
        : repository_(repository), request_(request) {
        status_.now_ns = request.now_ns.value_or(now_ns());
    }

    RepositoryStatus gather() {
        log_ = read_gc_log(repository_.store(), repository_.keys());
        list_objects();
        gather_snapshots();
        for (auto const& open : list_sessions(repository_, log_).open) add_session(open);
        gather_packs();
        if (request_.with_garbage) gather_garbage();
        for (auto const& [repository, copy] : repository_.local_state().copies) {
            status_.copies.push_back(copy);
            status_.copies.back().repository = repository;
        }
        return std::move(status_);
    }

private:
    void list_objects() {
        repository_.store().each("", [this](ObjectInfo const& object) {
            status_.stored_bytes += object.size;
            if (!object.name.starts_with("packs/")) return;
            ++status_.packs;
            auto const id = names::pack_of(object.name);
            if (id && !log_.is_swept(*id)) packs_.emplace(*id, object.size);
        });
    }

    void gather_snapshots() {
        auto list = list_snapshots(repository_);
        status_.errors = std::move(list.damaged);
        std::erase_if(list.snapshots, [&](NamedSnapshot const& named) {
            return !request_.filter.matches(named.snapshot);
        });
        status_.groups = group(list.snapshots, status_.now_ns);
        for (unsigned const days : {7U, 30U}) {
            status_.growth.push_back(growth_of(list.snapshots, status_.now_ns, days));
        }
        status_.paths_beside = paths_beside();
    }

    std::vector<std::string> paths_beside() const {
        std::set<std::string> paths;
        for (auto const& group : status_.groups) {
            Snapshot const& snapshot = group.newest.snapshot;
            if (snapshot.host == host_name()) {
                paths.insert(snapshot.paths.begin(), snapshot.paths.end());
            }
        }
        return sharing_a_file_system(request_.location, {paths.begin(), paths.end()});
    }

    void add_session(SessionsListing::Open const& open) {
        try {
            auto const record = read_session(repository_, names::session(open.id));
            status_.open_sessions.push_back({open.id, record.host, record.pid, record.created_ns,
                                             open.seen_ns, has_ended(record)});
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            // One that a collector has removed since is not damaged.
            if (repository_.store().stat(names::session(open.id)))
                status_.errors.emplace_back(error.what());
        }
    }

    void gather_packs() {
        CheckMemory const memory(repository_.folder(), status_.now_ns / second_ns);
        status_.last_check = memory.structure();
        status_.last_read_data = memory.read_data();
        status_.verification = memory.verification(packs_);
        if (!log_.ends_in_condemn) return;
        CondemnedPacks& condemned = status_.condemned.emplace();
        for (auto const& pack : log_.condemned) {
            auto const found = packs_.find(pack);
            if (found == packs_.end()) continue;
            ++condemned.packs;
            condemned.bytes += found->second;
        }
    }

    // As a collection that would move nothing finds it.
    void gather_garbage() {
        PruneRequest look;
        look.dry_run = true;
        look.max_unused.reset();
        Progress progress;
        try {
            auto const found = prune(repository_, look, progress);
            status_.garbage = {found.unneeded.packs, found.unneeded.bytes, found.unused};
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            status_.errors.emplace_back(error.what());
        }
    }

    Repository& repository_;
    StatusRequest const& request_;
    RepositoryStatus status_;
    GcState log_;
    PackSizes packs_;  // but for those that are swept
};

}  // namespace

RepositoryStatus gather_status(Repository& repository, StatusRequest const& request) {
    return Gatherer(repository, request).gather();
}

std::vector<std::string> sharing_a_file_system(std::string const& location,
                                               std::vector<std::string> const& paths) {
    std::vector<std::string> sharing;
    auto const device = device_of(location);
    if (!device) return sharing;
    for (auto const& path : paths) {
        if (device_of(path) == device) sharing.push_back(path);
    }
    return sharing;
}

}  // namespace coffre
