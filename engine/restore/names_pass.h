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
    void make_entry(std::string const& path, Node const& node);
    void copy_file(std::string const& from, std::string const& to, Node const& node);
    void apply_metadata(std::string const& path, Node const& node);
    void place(std::string const& path, Node const& node, std::optional<struct stat> const& there,
               std::function<void(std::string const&)> const& make);
    void leave(SelectionVisitor::Left const& left);

    RestoreContext& context_;
    LinkGroups links_;
    std::set<std::string> failed_;  // contents that are not, or not all, there
};

}  // namespace coffre
