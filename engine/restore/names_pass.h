// The second pass of a restore: links, special files, further names of files, and at last the
// metadata of folders. Nothing is written to files any more, so no link can lead it astray.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/restore/context.h"
#include "engine/restore/link_groups.h"

namespace coffre {

class NamesPass {
public:
    // `context` outlives this.
    explicit NamesPass(RestoreContext& context);
    void run();

private:
    void visit(std::string const& path, Node const& node);
    void name_file(std::string const& path, Node const& node, std::string const& first);
    void make(std::string const& path, Node const& node, std::optional<struct stat> const& there);
    // These return what they have made.
    FileIdentity make_entry(std::string const& path, Node const& node);
    FileIdentity name_or_copy(std::string const& path, Node const& node, std::string const& first,
                              struct stat const& known);
    FileIdentity copy_file(std::string const& from, struct stat const& known, std::string const& to,
                           Node const& node);
    bool is_copy(std::string const& path, struct stat const& there, std::string const& first,
                 Node const& node);
    void put_off_failure(std::function<void()> const& apply);
    void apply_metadata(std::string const& path, Node const& node);
    void place(std::string const& path, Node const& node, std::optional<struct stat> const& there,
               std::function<FileIdentity(std::string const&)> const& make);
    void leave(SelectionVisitor::Left const& left);

    RestoreContext& context_;
    LinkGroups links_;
    std::optional<std::string> metadata_failure_;  // of what is not in its place yet
    bool can_be_linked_ = true;                    // as far as is known
    std::set<std::string> failed_;                 // contents that are not, or not all, there
};

}  // namespace coffre
