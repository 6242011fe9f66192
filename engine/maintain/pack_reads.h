// Reads packs to the last byte, beside whatever else a check does.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <mutex>

#include "engine/progress.h"
#include "engine/repository/chunk_reader.h"
#include "engine/util/ordered_stage.h"

namespace coffre {

// What a bundle says of a pack.
struct ExpectedPack {
    std::uint64_t size = 0;
    std::uint64_t directory = 0;  // XXH3-64 of it
    SessionId session;
};

class PackReads {
public:
    // `note` gets what is wrong with a pack, from a thread of its own; `progress` counts the bytes.
    // Arguments outlive this.
    PackReads(Repository& repository, std::map<PackId, ExpectedPack> const& expected,
              unsigned threads, Progress& progress, std::function<void(std::string const&)> note);
    PackReads(PackReads const&) = delete;
    PackReads& operator=(PackReads const&) = delete;
    // Reads no further.
    ~PackReads() { is_abandoned_ = true; }

    // Begins to read these packs, and returns. To be called once.
    void begin(std::vector<PackId> packs);

    struct Totals {
        std::uint64_t chunks = 0;
        std::uint64_t bytes = 0;
    };
    // Returns when all are read. Throws what is no matter of a single pack.
    Totals finish();

private:
    struct Reading {
        std::vector<std::string> errors;
        Totals totals;
    };
    void feed();
    Reading read(PackId const& id);
    void read_pack(PackId const& id, std::string const& name, Reading& reading);
    void read_block(std::string const& name, VerifiedPack const& pack, BlockRow const& row,
                    ByteView stored, Reading& reading);
    Bytes delta_prefix(PackKind kind, BlockRow const& row);

    Repository& repository_;
    std::map<PackId, ExpectedPack> const& expected_;
    std::vector<PackId> packs_;
    Progress& progress_;
    std::function<void(std::string const&)> note_;
    Totals totals_;  // by the stage's sink
    std::atomic<bool> is_abandoned_{false};
    std::mutex bases_mutex_;
    std::optional<ChunkReader> bases_;  // by bases_mutex_
    OrderedStage<PackId, Reading> stage_;
    std::future<void> feeding_;
};

}  // namespace coffre
