// The entries of a folder one after the other, with a look at each; what comes next is looked at
// meanwhile.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <deque>
#include <functional>

#include "engine/snapshot/listing.h"
#include "engine/snapshot/look_ahead.h"

namespace coffre {

// Used by one thread.
class Entries {
public:
    // Whether the folder of this name is one of those that will be asked for.
    using IsWalked = std::function<bool(std::string_view, struct stat const&)>;

    // Stands at the first entry. `ahead` outlives this.
    Entries(LookAhead& ahead, Listing listing, IsWalked is_walked);
    Entries(Entries const&) = delete;
    Entries& operator=(Entries const&) = delete;
    ~Entries() = default;

    bool at_end() const { return at_ == listing_.names.size(); }
    void next();

    // Of the entry where this stands:
    std::string_view name() const { return listing_.names[at_]; }
    EntryLook const& look() const { return listing_.looks[at_ - first_]; }
    // Of the folder that it is, walked or not. Once for each; for each that `is_walked`.
    Listing take_listing();

    int folder() const { return listing_.folder.get(); }

private:
    struct Subfolder {
        std::size_t entry;
        Ahead<Listing> listing;
    };
    void go_on(std::vector<EntryLook> looks);
    void list_ahead();

    LookAhead& ahead_;
    Listing listing_;  // its looks: at the entries from first_ on
    IsWalked is_walked_;
    std::size_t at_ = 0;
    std::size_t first_ = 0;
    std::size_t scanned_ = 0;  // up to here each subfolder is listed ahead, or was
    std::deque<Subfolder> subfolders_;
    std::optional<Ahead<std::vector<EntryLook>>> next_looks_;
};

}  // namespace coffre
