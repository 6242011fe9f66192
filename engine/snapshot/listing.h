// One look at a folder of the source: its names, and what the file system says of the first
// entries.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "engine/util/fd.h"

namespace coffre {

// The names of a folder, sorted by bytes, in one piece of memory: there may be millions.
class Names {
public:
    void add(std::string_view name);
    // Some file systems give a name twice when it is replaced meanwhile: one stays.
    void sort();
    void keep_only(std::string_view name);

    std::size_t size() const { return starts_.size(); }
    // Ends with a zero byte.
    std::string_view operator[](std::size_t i) const { return at(starts_[i]); }

private:
    std::string_view at(std::size_t start) const { return text_.c_str() + start; }

    std::string text_;
    std::vector<std::size_t> starts_;
};

struct EntryLook {
    int error = 0;  // errno, when there is no status
    struct stat status {};
};

struct Listing {
    Fd folder;
    int error = 0;          // errno, when the folder cannot be opened
    struct stat status {};  // of what was opened: an automounter may have put it there just now
    Names names;
    int names_error = 0;           // errno, when it could not be listed to its end
    std::vector<EntryLook> looks;  // at the first entries
};

// Opens an entry of `folder` without touching its access time, where that is allowed. Empty with
// errno on failure.
Fd open_source(int folder, char const* name, int flags);

// The folder `name` of the open folder `above`; no link is followed.
Listing list_folder(int above, char const* name);

// Looks at the entries from `begin` on: all, or as many as are looked at in one go.
std::vector<EntryLook> look_at_entries(int folder, Names const& names, std::size_t begin);

}  // namespace coffre
