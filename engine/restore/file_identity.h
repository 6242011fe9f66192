// Which file it is, whatever its name.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <compare>
#include <string>

#include "engine/restore/failure.h"

namespace coffre {

struct FileIdentity {
    dev_t device = 0;
    ino_t inode = 0;

    auto operator<=>(FileIdentity const&) const = default;  // NOLINT(modernize-use-nullptr)
};

inline FileIdentity identity_of(struct stat const& status) {
    return {status.st_dev, status.st_ino};
}

// Throws SourceError naming `path`.
inline FileIdentity identity_of(Fd const& fd, std::string const& path) {
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) fail(path, "look at it");
    return identity_of(status);
}

}  // namespace coffre
