// The folder that is restored into. Every path is resolved beneath it, and no link is followed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <optional>

#include "engine/util/fd.h"
#include "format/tree.h"

namespace coffre {

// Paths are relative to the target ("a/b"). Every failure is a SourceError naming the path.
// Threads may share it.
enum class Absent { is_made, stays };

class Target {
public:
    // `absent`: what happens when the folder is not there. One that stays so has nothing in it.
    Target(std::string path, Absent absent);
    bool exists() const { return static_cast<bool>(root_); }

    std::optional<struct stat> look(std::string const& path) const;
    void make_directory(std::string const& path) const;
    // Lets the owner write what is there, until apply() sets its mode.
    void allow_writing(std::string const& path, struct stat const& there) const;
    // An empty file that was not there before, readable by its owner only.
    Fd create_file(std::string const& path) const;
    Fd open_file(std::string const& path, int flags) const;
    void make_link(std::string const& path, Node const& node) const;
    void make_special(std::string const& path, Node const& node) const;
    // A directory is removed with all that is in it. Returns how many things were removed.
    std::uint64_t remove(std::string const& path) const;
    std::vector<std::string> names(std::string const& path) const;

    // Owner, mode, attributes and times of an open file.
    void apply(std::string const& path, int fd, Node const& node) const;
    // The same for a directory; for a link or special node what those have.
    void apply_by_name(std::string const& path, Node const& node) const;
    // Everything written is durable when it returns.
    void sync() const;

private:
    struct Parent {
        Fd folder;
        std::string name;
    };
    Parent parent_of(std::string const& path) const;
    Fd open_beneath(std::string const& path, int flags, mode_t mode) const;

    std::string path_;
    Fd root_;
};

}  // namespace coffre
