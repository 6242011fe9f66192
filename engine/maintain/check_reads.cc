#include "engine/maintain/check_reads.h"

#include <algorithm>

#include "engine/maintain/read_plan.h"
#include "engine/util/clock.h"

namespace coffre {

namespace {

constexpr std::int64_t save_interval_s = 60;

// This machine's time when this was made, and what went by since: nobody turns it back.
std::function<std::int64_t()> clock_that_runs_on() {
    return [begin_ns = now_ns(), begin = std::chrono::steady_clock::now()] {
        return begin_ns / 1'000'000'000 + static_cast<std::int64_t>(seconds_since(begin));
    };
}

}  // namespace

CheckReads::CheckReads(std::string const& folder, CheckRequest const& request)
    : request_(request),
      clock_(request.clock ? request.clock : clock_that_runs_on()),
      begin_s_(clock_()),
      memory_(folder, begin_s_),
      saved_s_(begin_s_) {}

std::vector<PackId> CheckReads::plan(PackSizes const& readable) const {
    return plan_reads(readable, memory_, request_, begin_s_);
}

std::optional<std::int64_t> CheckReads::time_to_begin() const {
    std::int64_t const now_s = clock_();
    bool const is_late = request_.budget_s && now_s - begin_s_ >= *request_.budget_s;
    return is_late ? std::nullopt : std::optional(now_s);
}

void CheckReads::add(PackReading const& reading, PackSizes const& readable) {
    read_[reading.pack] = {reading.chunks, reading.bytes};
    if (reading.errors.empty()) {
        memory_.note_verified(reading.pack, *reading.begun_s);
    } else {
        memory_.note_damaged(reading.pack);
    }
    if (*reading.begun_s - saved_s_ < save_interval_s) return;
    saved_s_ = *reading.begun_s;
    save(readable);
}

bool CheckReads::was_damaged_before(PackId const& pack) const {
    return !read_.contains(pack) && memory_.was_damaged(pack);
}

void CheckReads::save(PackSizes const& readable) {
    try {
        memory_.save(readable, clock_());
        save_failure_.clear();
    } catch (SourceError const& error) {
        save_failure_ = std::string("what was checked is not remembered: ") + error.what();
    }
}

void CheckReads::finish(CheckReport& report, PackSizes const& readable, bool reads_data) {
    report.packs_read = read_.size();
    for (auto const& [pack, amount] : read_) {
        report.chunks_read += amount.chunks;
        report.bytes_read += amount.bytes;
    }
    CheckRun const run{clock_(), report.errors.size()};
    bool const all_read = std::all_of(readable.begin(), readable.end(), [this](auto const& row) {
        return read_.contains(row.first);
    });
    memory_.note_structure(run);
    if (reads_data && all_read) memory_.note_read_data(run);
    save(readable);
    if (!save_failure_.empty()) report.warnings.push_back(save_failure_);
    report.verification = memory_.verification(readable);
}

}  // namespace coffre
