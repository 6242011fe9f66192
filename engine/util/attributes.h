// Extended attributes of an inode; ACLs and file capabilities are among them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "format/tree.h"

namespace coffre {

// Every failure is a SourceError without a path.
class Attributes {
public:
    // Of an open file or folder, which stays open meanwhile.
    static Attributes of_open(int fd) { return {fd, ""}; }
    // Of what was opened with O_PATH, which may be a link; it stays open meanwhile.
    static Attributes of_path_only(int fd);
    // Of the entry `name` itself: no link is followed, nothing is opened.
    static Attributes of_entry(int folder, std::string const& name);

    // Whether there are any; no, where nobody can tell.
    bool are_there() const { return list({}) > 0; }
    // In ascending order of names; none where the file system has no attributes.
    std::vector<Xattr> read() const;
    void set(std::string const& name, ByteView value) const;
    void remove(std::string const& name) const;

private:
    Attributes(int fd, std::string path, bool is_link_to_it = false)
        : fd_(fd), path_(std::move(path)), is_link_to_it_(is_link_to_it) {}
    ssize_t list(std::span<std::byte> into) const;
    ssize_t get(std::string const& name, std::span<std::byte> into) const;

    int fd_;  // -1: `path_` counts
    std::string path_;
    bool is_link_to_it_;  // one of /proc, which leads to nothing else
};

}  // namespace coffre
