// What a check has read of the packs, over all attempts that collections make it begin anew: within
// its time, and remembered by this machine.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/maintain/check_memory.h"
#include "engine/maintain/pack_reads.h"

namespace coffre {

// While packs are read, for the reads alone. Times are seconds since 1970 by the request's clock.
class CheckReads {
public:
    // Begins the check's time. `folder` is what this machine keeps of the repository; `request`
    // outlives this.
    CheckReads(std::string const& folder, CheckRequest const& request);

    // Those that are still to be read, in order.
    std::vector<PackId> plan(PackSizes const& readable) const;
    // Nothing when the check's time is over.
    std::optional<std::int64_t> time_to_begin() const;
    // Of a pack that was read. Saves what is remembered now and then.
    void add(PackReading const& reading, PackSizes const& readable);
    // It was damaged when it was read last, which was before this check.
    bool was_damaged_before(PackId const& pack) const;
    // Saves what is remembered; a failure becomes a warning in the end.
    void save(PackSizes const& readable);
    // Completes the report, and remembers that the check has ended; `reads_data`: not of the
    // structure alone.
    void finish(CheckReport& report, PackSizes const& readable, bool reads_data);

private:
    struct Amount {
        std::uint64_t chunks = 0;
        std::uint64_t bytes = 0;
    };

    CheckRequest const& request_;
    std::function<std::int64_t()> clock_;
    std::int64_t begin_s_;
    CheckMemory memory_;
    std::map<PackId, Amount> read_;
    std::int64_t saved_s_;
    std::string save_failure_;
};

}  // namespace coffre
