// A restore from beginning to end: what is in files, then names and metadata, then a look back.
#include "engine/restore.h"

#include <fcntl.h>

#include <filesystem>

#include "engine/restore/contents_pass.h"
#include "engine/restore/names_pass.h"
#include "engine/restore/verify_pass.h"

namespace coffre {

namespace {

// Several names may be one file, and other file systems be mounted in the target: so many entries
// for each inode are possible.
constexpr std::uint64_t most_entries_an_inode = 1000;

void require_room(Target const& target, Statistics const& told, Progress const& progress) {
    auto const inodes = target.inodes();
    std::uint64_t const entries = told.files + told.directories + told.others;
    if (!inodes || entries <= *inodes) return;
    std::string const holds = "the snapshot holds " + std::to_string(entries) + " entries, ";
    std::string const takes = std::to_string(*inodes);
    if (entries / most_entries_an_inode > *inodes) {
        throw SourceError(
            "", holds + "more than the target's file system can ever hold (" + takes + ")");
    }
    progress.report_failure(
        "", holds + "and the target's file system takes " + takes + " files: room may run out");
}

// Where the target is, or will be.
void require_not_within(PathsInUse const& in_use, std::string const& target) {
    std::error_code absent;
    auto at = std::filesystem::absolute(target, absent);
    while (!std::filesystem::exists(at, absent) && at.has_relative_path()) at = at.parent_path();
    Fd const folder(::open(at.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder) return;  // told of when it is used
    if (auto const* const around = in_use.around(folder)) {
        throw SourceError(target, target + ": lies in " + *around +
                                      ", which is in use: restore to a folder outside of it");
    }
}

RestoreResult restore(Repository& repository, RestoreRequest const& request, Progress& progress) {
    progress.restart();
    RestoreContext context(repository, request, progress);
    if (request.include.empty() && request.from.sub_path.empty()) {
        require_room(context.target, request.from.snapshot.statistics, progress);
    }
    ContentsPass(context).run();
    context.require_room_left();
    NamesPass(context).run();
    context.require_room_left();
    if (!request.dry_run) context.target.sync();
    VerifyPass(context).run();
    context.result.withheld = context.metadata.withheld();
    return std::move(context.result);
}

}  // namespace

RestoreResult restore_snapshot(Repository& repository, RestoreRequest const& request,
                               Progress& progress) {
    std::error_code unreachable;  // then it cannot be the root, and is named when it is opened
    bool const at_root = std::filesystem::weakly_canonical(request.target, unreachable) == "/";
    if (request.delete_extra && at_root && request.include.empty()) {
        throw SourceError("/", "--delete at / needs --include: it would remove the whole system");
    }
    require_not_within(PathsInUse(request.never_written), request.target);
    repository.refresh_index();
    auto result = reading(repository, {request.from.id}, [&] {
        return with_sound_index(repository, [&] { return restore(repository, request, progress); });
    });
    if (!result.damaged.empty()) require_not_given_up(repository, request.from.id);
    return result;
}

}  // namespace coffre
