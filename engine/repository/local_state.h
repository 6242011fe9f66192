// What this machine remembers of a repository, so that one that went back in time is noticed.
//
// Not part of the repository and not needed to read it. docs/threat-model.md, "Rollback".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "engine/copy.h"
#include "engine/crypto/key_ring.h"
#include "format/id.h"

namespace coffre {

struct LocalState {
    RepositoryId repository;                       // whose it is
    WriterId writer;                               // of this machine's snapshots
    bool encrypted = false;                        // once seen so, mode none is refused
    std::uint32_t epochs = 0;                      // master secrets it had: fewer are refused
    SecretMark newest_secret;                      // of the last of these: another is refused, too
    std::uint64_t sequence = 0;                    // of its newest snapshot
    std::uint64_t log_records = 0;                 // length of the gc log when last seen
    std::map<WriterId, SessionId> heads;           // the newest snapshot seen of each writer
    std::map<RepositoryId, CopyElsewhere> copies;  // by this machine

    bool operator==(LocalState const&) const = default;
};

// `folder` holds it in the file "state". Nothing when that is missing or unreadable, or another
// repository's.
std::optional<LocalState> read_local_state(std::string const& folder,
                                           RepositoryId const& repository);
// The same, or a fresh state with a new writer id.
LocalState load_local_state(std::string const& folder, RepositoryId const& repository);

// Whether the keys have the newest master secret that this machine has seen.
bool has_newest_seen(KeyRing const& keys, LocalState const& state);
// The newest of the keys becomes that.
void note_newest(KeyRing const& keys, LocalState& state);

// Applies `change` to what the file holds by now, since other processes may have changed it, or to
// `known` when it holds nothing. Returns the result, durable. Throws SourceError.
LocalState update_local_state(std::string const& folder, LocalState const& known,
                              std::function<void(LocalState&)> const& change);

}  // namespace coffre
