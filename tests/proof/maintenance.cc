#include "maintenance.h"

#include <algorithm>

#include "engine/copy.h"
#include "engine/forget.h"
#include "engine/prune.h"
#include "engine/repair.h"
#include "engine/tag.h"

namespace coffre::proof {

namespace {

void leave(Repository& /*repository*/) {}

void forget_all_but_one(Repository& repository) {
    ForgetRequest request;
    request.rules.count.last = 1;
    request.group_by = {false, false, false};
    request.allow_many = true;
    Progress progress;
    forget(repository, request, progress);
}

void take_back(Repository& repository) {
    Progress progress;
    auto const forgotten = forgotten_snapshots(repository);
    // With nothing to name, the error is about what is damaged.
    std::string id = forgotten.snapshots.empty() ? "none" : forgotten.snapshots[0].id.hex();
    for (auto const& named : list_snapshots(repository).snapshots) {
        if (named.snapshot.was) id = named.snapshot.was->hex();  // back already
    }
    unforget(repository, id, progress);
}

void pin_all(Repository& repository) {
    Progress progress;
    TagChange change;
    change.add = {"kept"};
    change.pin = true;
    change_tags(repository, list_snapshots(repository).snapshots, change, progress, {});
}

void prune_all(Repository& repository) {
    PruneRequest request;
    request.max_unused = 0;
    request.threads = 1;
    Progress progress;
    prune(repository, request, progress);
}

// One repository for all cases: it is only read.
Repository& elsewhere() {
    static TestRepo repo(Mode::encrypted, {256, 1024, 4096});
    static TempFolder const source;
    static auto const taken = [] {
        write_file(source / "a", random_bytes(40, 9000));
        return repo.save(source.path());
    }();
    return *repo;
}

void copy_from_elsewhere(Repository& repository) {
    CopyRequest request;
    request.threads = 1;
    Progress progress;
    auto const report = copy_snapshots(elsewhere(), repository, request, progress, {});
    if (!report.errors.empty()) throw RepositoryError(RepositoryFailure::failed, report.errors[0]);
}

void remove_bundles(Repository& repository) {
    for (auto const& bundle : repository.store().list("bundles/")) {
        repository.store().remove(bundle.name);
    }
}

void repair_all(Repository& repository) {
    RepairRequest request;
    request.apply = true;
    request.threads = 1;
    Progress progress;
    repair_repository(repository, request, progress);
}

}  // namespace

std::vector<MaintenanceChange> const& maintenance_changes() {
    static std::vector<MaintenanceChange> const changes{
        {"forget", leave, forget_all_but_one},
        {"forget --undo", forget_all_but_one, take_back},
        {"tag", leave, pin_all},
        {"prune", forget_all_but_one, prune_all},
        {"copy", leave, copy_from_elsewhere},
        {"repair", remove_bundles, repair_all, false},
    };
    return changes;
}

Contents contents_of(Repository& repository) {
    Contents contents;
    for (auto& [id, tar] : all_tars(repository)) contents.insert(std::move(tar));
    return contents;
}

bool lies_between(Contents const& left, Contents const& before, Contents const& after) {
    Contents staying;
    std::set_intersection(before.begin(), before.end(), after.begin(), after.end(),
                          std::inserter(staying, staying.end()));
    Contents known = before;
    known.insert(after.begin(), after.end());
    return std::includes(left.begin(), left.end(), staying.begin(), staying.end()) &&
           std::includes(known.begin(), known.end(), left.begin(), left.end());
}

}  // namespace coffre::proof
