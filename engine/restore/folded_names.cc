#include "engine/restore/folded_names.h"

#include <sys/stat.h>

#include <cctype>

#include "engine/util/paths.h"

namespace coffre {

void FoldedNames::require_own(Target const& target, std::string const& path,
                              struct stat const& there) {
    if (!fold(target, path, there)) return;
    bool const has_name = names_there_.contains(last_component(path));
    bool const may_be_linked = !S_ISDIR(there.st_mode) && there.st_nlink > 1;
    if (has_name && (may_be_linked || met_.insert(identity_of(there)).second)) return;
    are_told_apart_ = false;
    throw SourceError(path, std::string(has_name ? "is one with another entry of its folder"
                                                 : "is there under a name of other capitals") +
                                ": the target's file system takes these for the same; rename what "
                                "is there, or restore to another one");
}

// Found out by the first name that has a letter. What has a name of other capitals there by then,
// or gets there later, is something else.
bool FoldedNames::fold(Target const& target, std::string const& path, struct stat const& there) {
    if (fold_) return *fold_;
    std::string const name = last_component(path);
    std::string other = name;
    for (char& c : other) {
        if (std::isalpha(static_cast<unsigned char>(c)) != 0) c = static_cast<char>(c ^ 0x20);
    }
    if (other == name) return false;
    auto const same = target.look(join_path(folder_above(path), other));
    fold_ = same && identity_of(*same) == identity_of(there);
    if (*fold_) {
        auto const names = target.names(folder_above(path));
        names_there_ = {names.begin(), names.end()};
    }
    return *fold_;
}

}  // namespace coffre
