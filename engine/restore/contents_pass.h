// The first pass of a restore: folders, and what is in files. Compares with what is there already,
// and plans only what differs.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/restore/comparison.h"
#include "engine/restore/context.h"
#include "engine/restore/extra_entries.h"
#include "engine/restore/fetch.h"
#include "engine/restore/folded_names.h"
#include "engine/restore/link_groups.h"

namespace coffre {

class ContentsPass {
public:
    // `context` outlives this.
    explicit ContentsPass(RestoreContext& context);
    void run();

private:
    bool is_full() const { return context_.is_full || writer_.is_full(); }
    bool enter(std::string const& path, Node const& folder);
    void use_start();
    bool make_folder(std::string const& path, Node const& folder);
    std::optional<struct stat> look(std::string const& path);
    bool is_above_made() const { return !folders_.empty() && folders_.back().is_made; }
    void note_name(Node const& node);
    void require_own_entry(std::string const& path, struct stat const& there);
    void leave(SelectionVisitor::Left const& left);
    void restore_file(std::string const& path, Node const& node);
    std::optional<struct stat> own_entry_at(std::string const& path, Node const& node);
    bool can_be_read(std::string const& path);
    bool may_run(std::string const& path);
    void require_may_change(std::string const& path, Node const& node, struct stat const& there);
    bool is_taken(struct stat const& there);
    bool may_keep_contents(std::string const& path, struct stat const& there, Node const& node);
    void keep_contents(std::string const& path, Node const& node);
    std::shared_ptr<RestoredFile> begin_file(std::string const& path, Node const& node);
    void count_restored(char const* action, std::string const& path);
    void foresee_name(std::string const& path, std::string const& first);
    void foresee_entry(std::string const& path, Node const& node);
    void create_file(std::string const& path, Node const& node);
    void replace_file(std::string const& path, Node const& node);
    void update_file(std::string const& path, Node const& node, struct stat const& there);
    void update_linked_file(std::string const& path, Node const& node, struct stat const& there);
    void plan_all_chunks(Node const& node, std::shared_ptr<RestoredFile> const& file);
    template <class IsThere>
    void plan_chunks(Node const& node, std::shared_ptr<RestoredFile> const& file,
                     IsThere const& is_there);

    RestoreContext& context_;
    Comparison comparison_;
    FileWriter writer_;
    Fetcher fetcher_;
    LinkGroups links_;
    std::set<std::pair<dev_t, ino_t>> met_;  // files of several names in the target
    struct Folder {
        bool is_made = false;          // by this restore
        std::set<std::string> wanted;  // what the snapshot has in it; for --delete
        FoldedNames names;
    };
    std::vector<Folder> folders_;       // from the start down
    std::uint64_t foreseen_bytes_ = 0;  // of a dry run
    std::set<std::string> made_anew_;   // in a dry run: files of several names
};

}  // namespace coffre
