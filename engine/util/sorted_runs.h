// Sorts more than memory should hold: full runs go to a nameless file, and are merged in the end.
//
// Algorithm: external merge sort (Knuth, The Art of Computer Programming, volume 3, 5.4.1).
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <queue>
#include <span>
#include <type_traits>
#include <vector>

#include "engine/error.h"
#include "engine/util/fd.h"

namespace coffre {

// Rows of fixed size with an order. Throws SourceError naming `folder` when there is no room there.
template <class Row>
class SortedRuns {
    static_assert(std::is_trivially_copyable_v<Row>);

public:
    // Keeps up to `rows_in_memory` rows in memory, others in a file in `folder`.
    SortedRuns(std::string folder, std::size_t rows_in_memory)
        : folder_(std::move(folder)), bound_(std::max<std::size_t>(rows_in_memory, 1)) {}

    void add(Row const& row) {
        rows_.push_back(row);
        if (rows_.size() >= bound_) spill();
    }
    // Every row in ascending order; rows that are equal come together. To be called once.
    template <class Visit>
    void each(Visit const& visit) {
        if (runs_.empty()) {
            std::sort(rows_.begin(), rows_.end());
            for (auto const& row : rows_) visit(row);
        } else {
            if (!rows_.empty()) spill();
            rows_.shrink_to_fit();
            merge(visit);
        }
    }
    bool has_spilled() const { return !runs_.empty(); }

private:
    static constexpr std::size_t largest_window = 16 * std::size_t{1024};

    // A run of the file, read a window at a time.
    struct Run {
        off_t next = 0;  // of the file
        std::size_t left = 0;
        std::vector<Row> window;
        std::size_t at = 0;
    };

    void spill() {
        std::sort(rows_.begin(), rows_.end());
        if (!file_) file_ = open_nameless(folder_);
        if (!file_ || !write_full(file_.get(), std::as_bytes(std::span(rows_)))) fail("write");
        runs_.push_back({end_, rows_.size(), {}, 0});
        end_ += static_cast<off_t>(rows_.size() * sizeof(Row));
        rows_.clear();
    }
    // False when the run has no more rows.
    bool fill(Run& run) {
        if (run.at < run.window.size()) return true;
        std::size_t const share = std::max<std::size_t>(bound_ / runs_.size(), 1);
        run.window.resize(std::min({run.left, share, largest_window}));
        run.at = 0;
        auto const bytes = std::as_writable_bytes(std::span(run.window));
        ssize_t const size = pread_full(file_.get(), bytes, run.next);
        if (size != static_cast<ssize_t>(bytes.size())) fail("read");
        run.next += size;
        run.left -= run.window.size();
        return !run.window.empty();
    }
    template <class Visit>
    void merge(Visit const& visit) {
        auto const is_later = [](Run const* a, Run const* b) {
            return b->window[b->at] < a->window[a->at];
        };
        std::priority_queue<Run*, std::vector<Run*>, decltype(is_later)> heads(is_later);
        for (auto& run : runs_) {
            if (fill(run)) heads.push(&run);
        }
        while (!heads.empty()) {
            Run* const run = heads.top();
            heads.pop();
            visit(run->window[run->at++]);
            if (fill(*run)) heads.push(run);
        }
    }
    [[noreturn]] void fail(char const* doing) const {
        throw SourceError(folder_,
                          folder_ + ": cannot " + doing + " a temporary file: " + errno_text());
    }

    std::string folder_;
    std::size_t bound_;
    std::vector<Row> rows_;
    Fd file_;
    off_t end_ = 0;
    std::vector<Run> runs_;
};

}  // namespace coffre
