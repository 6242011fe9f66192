// The objects `snapshots/<sid>`: one moment of the saved paths and streams, or a slot that is
// closed.
//
// docs/format.md, section "snapshots".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <optional>

#include "format/object.h"
#include "format/tree.h"

namespace coffre {

struct Statistics {
    std::uint64_t files = 0;
    std::uint64_t directories = 0;
    std::uint64_t others = 0;  // links and special nodes
    std::uint64_t files_new = 0;
    std::uint64_t files_changed = 0;
    std::uint64_t files_unmodified = 0;
    std::uint64_t bytes = 0;         // plaintext of all files and streams
    std::uint64_t bytes_read = 0;    // of which read in this run
    std::uint64_t bytes_added = 0;   // plaintext of new chunks, data and meta
    std::uint64_t bytes_stored = 0;  // what they took in packs, before padding and directory
    std::uint64_t chunks_new = 0;
    std::uint64_t chunks_reused = 0;

    bool operator==(Statistics const&) const = default;
};

// A source that could not be saved.
struct SourceFailure {
    std::string path;
    std::string message;

    bool operator==(SourceFailure const&) const = default;
};

// A value of the free-form `point` section: what each database reported.
using PointSection = std::map<std::string, std::string>;

struct Snapshot {
    Node root;                         // a directory; its name is "root"
    std::vector<std::string> paths;    // absolute, as given, sorted
    std::vector<std::string> streams;  // names at the root of the tree
    std::vector<std::string> tags;
    std::string host;
    std::string user;
    std::string program;          // name and version
    std::int64_t time_ns = 0;     // what the snapshot shows; chosen by the user or `started_ns`
    std::int64_t started_ns = 0;  // before the first directory was read
    std::int64_t finished_ns = 0;
    WriterId writer;             // these three chain a writer's snapshots, so that one
    std::uint64_t sequence = 0;  // that is taken away is missed
    SessionId previous;
    std::optional<SessionId> parent;
    std::optional<SessionId> was;  // replaced by this one (tags changed)
    bool pinned = false;
    Statistics statistics;
    std::uint64_t failure_count = 0;
    std::vector<SourceFailure> failures;  // the first of them
    PointSection point;

    bool operator==(Snapshot const&) const = default;
};

// A slot holds a snapshot, or the mark that its session was ended before it published one.
struct SlotContent {
    std::optional<Snapshot> snapshot;  // nothing: KILLED

    bool killed() const { return !snapshot.has_value(); }
    bool operator==(SlotContent const&) const = default;
};

inline constexpr std::size_t listed_failures = 1000;

Bytes encode_slot(SlotContent const& slot);
SlotContent decode_slot(ByteView bytes);

}  // namespace coffre
