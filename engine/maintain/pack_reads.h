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

// What reading a pack showed.
struct PackReading {
    PackId pack;
    std::optional<std::int64_t> begun_s;  // nothing: it was not read, there was no time, or
    std::string denied;                   // what says that this user may not
    std::vector<std::string> errors;
    bool lacks_secret = false;  // a master secret that this key does not open; nothing is damaged
    std::uint64_t chunks = 0;
    std::uint64_t bytes = 0;
};

class PackReads {
public:
    // `done` gets each reading, one at a time, from a thread of its own; `progress` counts the
    // bytes. Arguments outlive this.
    PackReads(Repository& repository, std::map<PackId, ExpectedPack> const& expected,
              unsigned threads, Progress& progress, std::function<void(PackReading const&)> done);
    PackReads(PackReads const&) = delete;
    PackReads& operator=(PackReads const&) = delete;
    // Begins no further pack.
    ~PackReads() { is_abandoned_ = true; }

    // Tells the time, or nothing when no further pack is to be begun.
    using Start = std::function<std::optional<std::int64_t>()>;
    // Begins to read these packs in this order, and returns. `start` is asked before each, by any
    // thread. To be called once.
    void begin(std::vector<PackId> packs, Start start);
    // Returns when all are read. Throws what is no matter of a single pack.
    void finish();

private:
    void feed();
    PackReading read(PackId const& id);
    void read_pack(std::string const& name, PackReading& reading);
    bool lacks_secret(std::string const& name, PackDirectory const& directory,
                      PackReading& reading);
    void read_block(std::string const& name, VerifiedPack const& pack, BlockRow const& row,
                    ByteView stored, PackReading& reading);
    Bytes delta_prefix(PackKind kind, BlockRow const& row);

    Repository& repository_;
    std::map<PackId, ExpectedPack> const& expected_;
    std::vector<PackId> packs_;
    Start start_;
    Progress& progress_;
    std::atomic<bool> is_abandoned_{false};
    std::mutex bases_mutex_;
    std::optional<ChunkReader> bases_;  // by bases_mutex_
    OrderedStage<PackId, PackReading> stage_;
    std::future<void> feeding_;
};

}  // namespace coffre
