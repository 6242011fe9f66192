#include "engine/snapshot/entries.h"

#include <algorithm>

namespace coffre {

namespace {

constexpr std::size_t most_subfolders = 32;  // listed ahead, of one folder
constexpr off_t largest_ahead = 1 << 20;     // in bytes of the folder: the names of all are held

}  // namespace

Entries::Entries(LookAhead& ahead, Listing listing, IsWalked is_walked)
    : ahead_(ahead), listing_(std::move(listing)), is_walked_(std::move(is_walked)) {
    if (!at_end()) go_on(std::move(listing_.looks));
}

void Entries::next() {
    ++at_;
    if (at_end() || at_ - first_ < listing_.looks.size()) return;
    if (!next_looks_) return go_on(look_at_entries(folder(), listing_.names, at_));
    auto looks = next_looks_->get();
    next_looks_.reset();
    go_on(std::move(looks));
}

void Entries::go_on(std::vector<EntryLook> looks) {
    listing_.looks = std::move(looks);
    first_ = scanned_ = at_;
    std::size_t const after = first_ + listing_.looks.size();
    if (after < listing_.names.size()) {
        auto looking = ahead_.start(
            [this, after] { return look_at_entries(folder(), listing_.names, after); });
        if (looking) next_looks_.emplace(std::move(*looking));
    }
    list_ahead();
}

void Entries::list_ahead() {
    std::size_t const end = first_ + listing_.looks.size();
    for (; scanned_ < end && subfolders_.size() < most_subfolders; ++scanned_) {
        EntryLook const& look = listing_.looks[scanned_ - first_];
        std::string_view const name = listing_.names[scanned_];
        if (look.error != 0 || !S_ISDIR(look.status.st_mode)) continue;
        if (look.status.st_size > largest_ahead) continue;
        if (!is_walked_(name, look.status)) continue;
        auto listing =
            ahead_.start([above = folder(), name] { return list_folder(above, name.data()); });
        if (!listing) return;
        subfolders_.push_back({scanned_, std::move(*listing)});
    }
}

Listing Entries::take_listing() {
    if (subfolders_.empty() || subfolders_.front().entry != at_) {
        scanned_ = std::max(scanned_, at_ + 1);
        return list_folder(folder(), name().data());
    }
    auto listing = std::move(subfolders_.front());
    subfolders_.pop_front();
    if (subfolders_.size() <= most_subfolders / 4) list_ahead();
    return listing.listing.get();
}

}  // namespace coffre
