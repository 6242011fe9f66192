// Gives an inode the owner, mode, attributes and times of a node.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <map>
#include <mutex>

#include "engine/restore.h"
#include "engine/restore/failure.h"
#include "engine/util/attributes.h"

namespace coffre {

// Of a file: put there by this restore, or found there, equal.
enum class Contents { written, kept };

// Owners by name where this machine knows the name, else by number. Set-id bits of files and
// attributes in `security` and `trusted` give rights: they are left out, and counted, unless the
// request is privileged. Failures are SourceErrors with the path given; one thing that
// cannot be set stops none of the others. Threads may share it.
class Metadata {
public:
    // `request` outlives this.
    explicit Metadata(RestoreRequest const& request) : request_(request) {}

    // To an open file or folder: what differs. A file whose contents and owner are the snapshot's
    // keeps set-id bits that the snapshot has, too.
    void apply(std::string const& path, int fd, Node const& node,
               Contents contents = Contents::written);
    // To the entry `name` of the open folder `folder`: a link or special node.
    void apply_to_entry(std::string const& path, int folder, std::string const& name,
                        Node const& node);

    // Whether `there` has owner, mode and times of the node; whether the open file has the
    // attributes that apply() would give it.
    bool fits(struct stat const& there, Node const& node);
    bool attributes_fit(std::string const& path, int fd, Node const& node) const;

    void count_device() { ++devices_; }
    Withheld withheld() const { return {set_ids_, devices_, attributes_}; }

private:
    struct Owner {
        uid_t user = 0;
        gid_t group = 0;
    };
    Owner owner_of(Node const& node);
    mode_t mode_of(Node const& node, bool is_owner_set, mode_t kept);
    struct Changed {
        bool mode = false;       // may have changed
        bool lacks_acl = false;  // the node's could not be set
    };
    // `there`: the mode before.
    Changed set_attributes(int fd, mode_t there, Node const& node, Attempts& attempts);
    Changed set_attributes(Attributes const& of, Node const& node, Attempts& attempts);
    void set_attribute(Attributes const& of, Xattr const& wanted, Changed& changed,
                       Attempts& attempts);
    static mode_t granted(mode_t mode, Changed const& changed);
    static void set_times(std::string const& path, int fd, struct stat const& there,
                          Node const& node);
    bool may_set(Xattr const& attribute) const;
    bool may_remove(std::string const& attribute) const;

    RestoreRequest const& request_;
    std::atomic<std::uint64_t> set_ids_{0};
    std::atomic<std::uint64_t> devices_{0};
    std::atomic<std::uint64_t> attributes_{0};
    std::mutex mutex_;
    std::map<std::string, std::optional<uid_t>> users_;   // by mutex_
    std::map<std::string, std::optional<gid_t>> groups_;  // by mutex_
};

}  // namespace coffre
