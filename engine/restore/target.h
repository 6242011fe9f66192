// The folder that is restored into. Every path is resolved beneath it, and no link is followed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "engine/restore/removal.h"
#include "engine/util/fd.h"
#include "engine/util/unfinished.h"
#include "format/tree.h"

namespace coffre {

// What happens when the target folder is not there: one that stays absent has nothing in it.
enum class Absent { is_made, stays };

inline bool is_device(Node const& node) {
    return node.kind == NodeKind::char_device || node.kind == NodeKind::block_device;
}

// How a path is kept beneath the target: by one call of the kernel (from 5.6 on), or component by
// component.
enum class Resolution { by_kernel, by_component };

// Paths are relative to the target ("a/b"), of any length. Every failure is a SourceError naming
// the path. Threads may share it.
class Target {
public:
    Target(std::string path, Absent absent, Resolution resolution = Resolution::by_kernel);
    // The bits of a mode that say what a link or special node is.
    static mode_t type_of(NodeKind kind);

    bool exists() const { return static_cast<bool>(root_); }
    // How many inodes its file system has; nothing where that is not limited.
    std::optional<std::uint64_t> inodes() const;

    std::optional<struct stat> look(std::string const& path) const;
    bool has_folder(std::string const& path) const;
    // Throws SourceError when it cannot be opened, or is none.
    void require_folder(std::string const& path) const;
    // The folder may be another file system's than the target: sync() makes that durable, too.
    void note_file_system(std::string const& path, dev_t device);
    void make_directory(std::string const& path) const;
    // Lets the owner write what is there: a folder, or a file, which is unfinished then.
    void allow_writing(std::string const& path, struct stat const& there) const;
    // An empty file that was not there before, unfinished.
    Fd create_file(std::string const& path) const;
    // A file or folder.
    Fd open_file(std::string const& path, int flags) const;
    // A file of this user's, also one whose mode keeps him from opening it.
    Fd open_own(std::string const& path) const;
    // The file that is there, to be written to: unfinished from now on. Nothing when a program runs
    // from it, which nobody may write to.
    std::optional<Fd> open_to_change(std::string const& path, struct stat const& there) const;

    // What takes the place of something else is made under such a name beside it: another one each
    // time, as nothing of that name may be anybody else's.
    static std::string temporary_beside(std::string const& path);
    // Puts what is at `temporary`, if that is still `known`, in the place of what is at `path`, at
    // once. When it throws, that is removed.
    void put_in_place(std::string const& temporary, FileIdentity const& known,
                      std::string const& path) const;
    // Whether another file of this size can be put in the place of what is there: it is no mount
    // point, its folder may be written to, the new one can have its owner, and there is room.
    bool can_be_replaced(std::string const& path, struct stat const& there,
                         std::uint64_t size) const;
    // What the security modules call the file at `path` is what they call the open one, if it may.
    void take_over_labels(std::string const& path, Fd const& file) const;
    // Whether a program runs from it.
    bool is_busy(std::string const& path) const;

    // Where the link leads.
    std::string link_target(std::string const& path) const;
    void make_link(std::string const& path, Node const& node) const;
    void make_special(std::string const& path, Node const& node) const;
    // Another name for `file`, if that is still the inode `known`. False where there can be none.
    bool make_hard_link(std::string const& path, std::string const& file,
                        struct stat const& known) const;
    // A directory is removed with all that is in it. Returns how many things were removed.
    std::uint64_t remove(std::string const& path, Removal const& how) const;
    // Whatever else is there by now stays.
    void remove_file(std::string const& path, FileIdentity const& known) const;
    bool is_mount_point(std::string const& path) const;
    // Whether the folder looks like the one of a repository, this one or another.
    bool holds_repository(std::string const& path) const;
    std::vector<std::string> names(std::string const& path) const;

    struct Parent {
        Fd folder;
        std::string name;
    };
    // The open folder that holds `path`, and the name there.
    Parent parent_of(std::string const& path) const;
    // Everything written is durable when it returns.
    void sync() const;

private:
    void change_mode(std::string const& path, mode_t mode, char const* doing) const;
    Fd open_beneath(std::string const& path, int flags, mode_t mode) const;
    std::vector<int> one_folder_of_each() const;
    Fd open_part(int folder, std::string const& path, int flags, mode_t mode) const;

    std::string path_;
    Fd root_;
    mutable std::mutex mutex_;
    std::map<dev_t, Fd> file_systems_;  // by mutex_; with the target's own
    mutable std::atomic<Resolution> resolution_;
};

}  // namespace coffre
