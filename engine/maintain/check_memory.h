// When this machine last checked a repository, and when it found each of its packs sound.
//
// A file of this machine, like the local state: no part of the repository. When it is lost or
// damaged nothing is known, and packs are read once more. In memory it is a row for each pack.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>

#include "engine/check.h"
#include "engine/repository/damage_notes.h"
#include "format/id.h"

namespace coffre {

using PackSizes = std::map<PackId, std::uint64_t>;

// Its times are seconds since 1970. One that lies ahead of `now_s` was noted by a wrong clock and
// is not believed.
class CheckMemory {
public:
    // What the file in `folder` tells.
    CheckMemory(std::string const& folder, std::int64_t now_s);

    // Nothing when that was never, or when it was found damaged after that.
    std::optional<std::int64_t> verified_s(PackId const& pack) const;
    // When it was read last, by any command.
    bool was_damaged(PackId const& pack) const { return damaged_.contains(pack); }
    // The last one of all objects, and the last one that read all packs too.
    std::optional<CheckRun> const& structure() const { return known_.structure; }
    std::optional<CheckRun> const& read_data() const { return known_.read_data; }
    Verification verification(PackSizes const& packs) const;

    void note_verified(PackId const& pack, std::int64_t time_s);
    void note_damaged(PackId const& pack);
    void note_structure(CheckRun const& run) { known_.structure = run; }
    void note_read_data(CheckRun const& run) { known_.read_data = run; }

    // Replaces the file. What another process has noted in the meantime stays; packs that are not
    // among `packs` are dropped. Throws SourceError.
    void save(PackSizes const& packs, std::int64_t now_s);

private:
    struct Known {
        std::map<PackId, std::int64_t> packs;
        std::optional<CheckRun> structure;
        std::optional<CheckRun> read_data;
    };
    static Bytes encode(Known const& known);
    static Known decode(ByteView bytes);
    static Known load(std::string const& file, std::int64_t now_s);
    static Known read(std::string const& file);

    std::string folder_;
    std::string file_;
    Known known_;
    std::set<PackId> damaged_;
    std::map<PackId, std::int64_t> noted_;  // since the last save
};

}  // namespace coffre
