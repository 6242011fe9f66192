// One bit for each chunk of some packs of an index.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/index/index.h"

namespace coffre {

// Packs are numbered from 0 on, so that a pack takes no more than a number beside its bits.
class ChunkBits {
public:
    bool has(PackNumber pack) const { return pack < begins_.size() && begins_[pack] != none; }
    // The pack's bits, none of them set. To be called once for a pack.
    void add(PackNumber pack, std::size_t chunks) {
        if (pack >= begins_.size()) begins_.resize(std::size_t{pack} + 1, none);
        begins_[pack] = bits_.size();
        bits_.resize(bits_.size() + chunks);
    }
    // False when it is set already. The pack must have been added.
    bool set(PackNumber pack, std::uint32_t ordinal) {
        auto bit = bits_[begins_[pack] + ordinal];
        if (bit) return false;
        bit = true;
        return true;
    }
    bool is_set(PackNumber pack, std::uint32_t ordinal) const {
        return has(pack) && bits_[begins_[pack] + ordinal];
    }
    // Those that were added, ascending.
    std::vector<PackNumber> packs() const {
        std::vector<PackNumber> added;
        for (PackNumber pack = 0; pack < begins_.size(); ++pack) {
            if (has(pack)) added.push_back(pack);
        }
        return added;
    }

private:
    static constexpr std::size_t none = ~std::size_t{0};

    std::vector<std::size_t> begins_;  // of each pack's bits, by its number
    std::vector<bool> bits_;
};

}  // namespace coffre
