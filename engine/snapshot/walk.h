// Walks the paths to save and turns them into events; reads only what the parent does not have.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <set>

#include "engine/repository/tree_reader.h"
#include "engine/snapshot.h"
#include "engine/snapshot/entries.h"
#include "engine/snapshot/failures.h"
#include "engine/snapshot/read_inodes.h"
#include "engine/snapshot/source_node.h"
#include "engine/snapshot/split.h"
#include "engine/snapshot/unwritten_pages.h"
#include "engine/util/attributes.h"
#include "engine/util/fd.h"

namespace coffre {

// The parent snapshot, as far as the walk needs it.
struct ParentTree {
    ChunkReader& reader;
    Node root;
    std::int64_t started_ns = 0;
    // Whether what lies beneath a file's node may be relied on (a collector may have condemned it).
    std::function<bool(Node const&)> may_inherit;
};

class Walker {
public:
    // All arguments outlive this; `parent` may be null.
    Walker(Exclusions const& exclude, ParentTree* parent, LookAhead& ahead, Splitter& split,
           Progress& progress);

    // The whole tree: the root, the folders above the paths, and the paths with all that is beneath
    // them. `paths` are absolute and sorted by components, none beneath another. A path that cannot
    // be read is a failure. `named` are all paths that the user gave, also those beneath others:
    // neither they nor the folders above them are left out, and one that is not met is a failure.
    void walk(std::vector<std::string> const& paths, std::vector<std::string> const& named);

    Failures& failures() { return failures_; }
    // Where the repository was met, and left out; empty: nowhere.
    std::string const& left_out() const { return left_out_; }
    // The first file on the file system of the repository.
    std::string const& beside() const { return beside_; }
    // What an exclusion matches, and is named or lies above what is.
    std::vector<std::string> const& spared() const { return spared_; }

private:
    struct Place {        // an entry being looked at
        int folder = -1;  // its folder's descriptor
        std::string name;
        std::string path;
        std::uint64_t device = 0;   // of the folder that it is in
        char const* entry() const;  // what to call it with `folder`
    };
    Node node_of(Place const& place, struct stat const& status);
    void walk_above(std::vector<std::string> const& paths, std::string const& path,
                    Node const* before);
    void walk_beneath(std::vector<std::string> const& paths, std::string const& path,
                      Node const* before);
    void walk_given(Place const& place, Node const* before);
    // `beside`: the entries among which it stands; null for a path that was given.
    void walk_entry(Place const& place, EntryLook const& look, Node const* before, Entries* beside);
    void walk_directory(Place const& place, Node node, Node const* before, Entries* beside);
    void walk_entries(Place const& place, std::uint64_t device, Listing listing,
                      Node const* before);
    void note_beside(std::string const& path, Node const& file);
    void save_file(Place const& place, Node node, Node const* before);
    void inherit_file(Place const& place, Node node, Node const& before);
    void read_file(Place const& place, Fd const& file, std::string name, Node const* before);
    EndFile read_contents(Place const& place, Fd const& file, struct stat const& status);
    void save_other(Place const& place, Node node, Node const* before);
    void read_attributes(Place const& place, Attributes const& of, Node& node);
    bool is_named(std::string const& path) const;
    void report_if_no_folder(Place const& place, Node const& node, Node const* before);
    bool is_repository(struct stat const& status) const;
    bool is_excluded(std::string const& path, Node const& node);
    bool matches_pattern(std::string const& path) const;
    FolderTag const* tag_of(int folder) const;
    // Of a folder that holds a tag only that is kept, unless the folder is named.
    void apply_tag(Place const& place, Listing& listing);
    // Adds the folder with what `walk` adds; marks it when that could not save all.
    template <class Walk>
    void walk_inside(Node folder, Walk const& walk);
    // A failure by which an entry is not in the snapshot; one by which it is, with a fault.
    void fail(std::string const& path, std::string const& message);
    void report(std::string const& path, std::string const& message);
    void report_unreached(std::string const& path);

    Exclusions const& exclude_;
    ParentTree* parent_;
    LookAhead& ahead_;
    Splitter& split_;
    Progress& progress_;
    SourceNodes nodes_;
    std::set<std::string> named_;
    std::set<std::string> unreached_;  // of these, beneath others
    Failures failures_;
    std::string left_out_;
    std::string beside_;
    std::vector<std::string> spared_;
    bool is_partial_ = false;  // not all of the folder being walked is saved
    ReadInodes read_;
    UnwrittenPages unwritten_;
    std::uint64_t depth_ = 0;  // of what is being walked: the root's is 0
};

}  // namespace coffre
