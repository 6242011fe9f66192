#include "engine/restore/extra_entries.h"

#include <fcntl.h>

#include "engine/util/paths.h"
#include "format/mutant.h"

namespace coffre {

namespace {

// The paths of what is in the folder, is selected, and is not in the snapshot.
std::vector<std::string> extra_in(RestoreContext const& context, SelectionVisitor::Left const& left,
                                  std::set<std::string> const& wanted) {
    std::vector<std::string> extra;
    for (auto const& name : context.target.names(left.path)) {
        std::string const path = join_path(left.path, name);
        bool const is_ours = context.chosen.includes(path, left.is_selected);
        bool const is_extra = is_ours && !wanted.contains(name);
        if (is_extra && !context.chosen.excludes(path)) extra.push_back(path);
    }
    return extra;
}

// What the snapshot could not see, or cannot show any more, is no reason to delete. Snapshots that
// do not say so hold a folder without entries where they did not enter another file system.
void require_saved_whole(RestoreContext const& context, SelectionVisitor::Left const& left) {
    bool const is_complete = left.is_complete || mutant("delete-what-is-damaged");
    bool const is_partial = (left.folder.flags & node_flags::partial) != 0;
    bool const is_empty = left.folder.content.entries.empty();
    if (is_complete && !is_partial && !(is_empty && context.target.is_mount_point(left.path))) {
        return;
    }
    throw SourceError(left.path,
                      "nothing was deleted here: the snapshot does not have all "
                      "that was in the folder");
}

void require_not_in_use(RestoreContext const& context, std::string const& path) {
    Fd const folder = context.target.open_file(path, O_RDONLY | O_DIRECTORY);
    if (auto const* const around = context.never_deleted.around(folder)) {
        throw SourceError(path,
                          "lies in " + *around + ", which is in use: nothing is deleted here");
    }
}

}  // namespace

void delete_extra_entries(RestoreContext& context, SelectionVisitor::Left const& left,
                          std::set<std::string> const& wanted) {
    auto const extra = extra_in(context, left, wanted);
    if (extra.empty()) return;
    require_saved_whole(context, left);
    require_not_in_use(context, left.path);
    for (auto const& path : extra) {
        context.guarded(path, [&] { context.remove_and_tell(path); });
    }
}

}  // namespace coffre
