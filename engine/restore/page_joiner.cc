#include "engine/restore/page_joiner.h"

#include <limits>

#include "engine/util/pages.h"

namespace coffre {

namespace {

constexpr std::size_t most_waiting = 512;

FilePiece whole_page(std::uint64_t number, std::vector<FilePiece> const& pieces) {
    FilePiece page{number * page_size, Bytes::uncleared(page_size)};
    for (auto const& piece : pieces) {
        std::size_t const at = piece.offset - page.offset;
        std::copy(piece.bytes.begin(), piece.bytes.end(), page.bytes.data() + at);
    }
    return page;
}

}  // namespace

std::optional<FilePiece> PageJoiner::join(void const* file, FilePiece piece) {
    Key const key{file, piece.offset / page_size};
    std::lock_guard const lock(mutex_);
    auto const there = waiting_.find(key);
    if (there == waiting_.end() && waiting_.size() >= most_waiting) return piece;
    Page& page = there == waiting_.end() ? waiting_[key] : there->second;
    page.size += piece.bytes.size();
    page.pieces.push_back(std::move(piece));
    if (page.size < page_size) return std::nullopt;
    auto const whole = waiting_.extract(key);
    return whole_page(key.second, whole.mapped().pieces);
}

std::vector<FilePiece> PageJoiner::take(void const* file) {
    std::lock_guard const lock(mutex_);
    auto const begin = waiting_.lower_bound({file, 0});
    auto const end = waiting_.upper_bound({file, std::numeric_limits<std::uint64_t>::max()});
    std::vector<FilePiece> pieces;
    for (auto at = begin; at != end; ++at) {
        for (auto& piece : at->second.pieces) pieces.push_back(std::move(piece));
    }
    waiting_.erase(begin, end);
    return pieces;
}

}  // namespace coffre
