// Pieces of a folder that a search through many snapshots has read: in the next version of one most
// nodes are the same, and need neither be decoded nor matched again.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "format/limits.h"
#include "format/tree.h"

namespace coffre {

// How far a piece is read: in its bytes, and in what a search has gathered.
struct Place {
    std::uint64_t byte = 0;
    std::uint64_t part = 0;   // the number of parts that its folders have led to
    std::uint64_t match = 0;  // and of nodes that match
};

struct ReadPiece {
    Bytes bytes;
    std::vector<Place> places;  // where each node begins, and the end
};

// The nodes of a piece that was read, beside a later version of it in which most are the same.
class EarlierNodes {
public:
    // `piece` is null when there is none.
    explicit EarlierNodes(std::shared_ptr<ReadPiece const> piece)
        : piece_(std::move(piece)), count_(piece_ ? piece_->places.size() - 1 : 0) {}

    // Goes past the next node of `in` if it is here too: returns where it begins and ends here. To
    // be asked of each node in turn; `in` has one left.
    std::optional<std::pair<Place, Place>> pass(TreePieceReader& in) {
        if (!is_next_of(in)) {
            skip_to(in.next_name());
            if (!is_next_of(in)) return std::nullopt;
        }
        ++at_;
        return std::pair(piece_->places[at_ - 1], piece_->places[at_]);
    }

private:
    bool is_next_of(TreePieceReader& in) const { return at_ < count_ && in.pass(node()); }
    void skip_to(std::string const& next) {
        while (at_ < count_ && name() < next) ++at_;
    }
    std::string name() const { return Reader(node(), "node").text(limits::name_size, "name"); }
    ByteView node() const {
        std::uint64_t const begin = piece_->places[at_].byte;
        return ByteView(piece_->bytes).subspan(begin, piece_->places[at_ + 1].byte - begin);
    }

    std::shared_ptr<ReadPiece const> piece_;
    std::size_t count_;
    std::size_t at_ = 0;
};

}  // namespace coffre
