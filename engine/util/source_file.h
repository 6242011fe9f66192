// Reads an open file around its holes, and tells whether it changed meanwhile.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include "format/tree.h"

namespace coffre {

// Every failure is a SourceError without a path.
class SourceFile {
public:
    static bool may_have_holes(struct stat const& status);

    // `status` is that of `fd`, which stays open meanwhile.
    SourceFile(int fd, struct stat const& status);

    // The next bytes that lie in no hole, as many as fit; fewer at the end of the file, and when it
    // has become much larger than `status` said: then it has changed.
    std::size_t read(std::span<std::byte> into);

    // After the last read: the holes that lie within what was read.
    std::vector<Hole> const& holes() const { return holes_; }
    // True when the file was written to, or got another size, since `status`.
    bool has_changed() const;

private:
    std::size_t read_some(std::span<std::byte> into) const;
    bool has_outgrown() const;
    void end_at(std::uint64_t offset);

    int fd_;
    struct stat before_;
    std::vector<Hole> holes_;
    std::size_t next_hole_ = 0;
    std::uint64_t at_ = 0;
};

}  // namespace coffre
