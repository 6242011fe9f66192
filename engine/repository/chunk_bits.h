// One bit for each chunk of some packs of an index.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/index/index.h"
#include "engine/util/spilled_array.h"

namespace coffre {

// Packs are numbered from 0 on, so that a pack takes no more than a number beside its bits. What
// grows large lies in a file in `folder`: add() throws SourceError when there is no room.
class ChunkBits {
public:
    explicit ChunkBits(std::string const& folder) : begins_(folder), words_(folder) {}

    bool has(PackNumber pack) const { return pack < begins_.size() && begins_[pack] != none; }
    // The pack's bits, none of them set. To be called once for a pack.
    void add(PackNumber pack, std::size_t chunks) {
        if (pack >= begins_.size()) begins_.resize(std::size_t{pack} + 1);
        begins_[pack] = end_;
        end_ += chunks;
        words_.resize(end_ / word_bits + 1);
        ++packs_;
    }
    // False when it is set already. The pack must have been added.
    bool set(PackNumber pack, std::uint32_t ordinal) {
        auto const [word, bit] = place(pack, ordinal);
        if ((words_[word] & bit) != 0) return false;
        words_[word] |= bit;
        return true;
    }
    bool is_set(PackNumber pack, std::uint32_t ordinal) const {
        if (!has(pack)) return false;
        auto const [word, bit] = place(pack, ordinal);
        return (words_[word] & bit) != 0;
    }
    // Of the chunk, among those of all packs that were added. Its pack must have been.
    std::uint64_t number(PackNumber pack, std::uint32_t ordinal) const {
        return begins_[pack] + ordinal;
    }
    // How many were added.
    std::size_t packs() const { return packs_; }
    // Those that were added, ascending; `visit` may add more.
    template <class Visit>
    void each_pack(Visit const& visit) const {
        for (PackNumber pack = 0; pack < begins_.size(); ++pack) {
            if (has(pack)) visit(pack);
        }
    }

private:
    static constexpr std::uint64_t none = 0;  // so no pack's bits begin there
    static constexpr std::size_t word_bits = 64;

    std::pair<std::size_t, std::uint64_t> place(PackNumber pack, std::uint32_t ordinal) const {
        std::uint64_t const at = number(pack, ordinal);
        return {at / word_bits, std::uint64_t{1} << (at % word_bits)};
    }

    SpilledArray<std::uint64_t> begins_;  // of each pack's bits, by its number
    SpilledArray<std::uint64_t> words_;
    std::uint64_t end_ = none + 1;
    std::size_t packs_ = 0;
};

}  // namespace coffre
