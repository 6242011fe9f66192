// Where objects live: five verbs and a barrier.
//
// Implementations: local.h, memory.h; decorators.h: what goes around one. Threads may share one.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "engine/error.h"
#include "engine/util/paths.h"
#include "format/bytes.h"

namespace coffre {

struct ObjectInfo {
    std::string name;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;  // by the store's clock

    bool operator==(ObjectInfo const&) const = default;
};

enum class PutResult { stored, exists };

// Every failure is a RepositoryError that names the object.
class Backend {
public:
    Backend() = default;
    Backend(Backend const&) = delete;
    Backend& operator=(Backend const&) = delete;
    virtual ~Backend() = default;

    // All of `bytes` under `name`, or nothing; never overwrites. Durable after the next barrier().
    virtual PutResult put(std::string const& name, ByteView bytes) = 0;
    // Exactly `size` bytes from `offset`.
    virtual Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) = 0;
    virtual std::optional<ObjectInfo> stat(std::string const& name) = 0;
    // Calls `visit`, which may change the store, with every object whose name starts with the
    // folder `prefix` ("packs/"), in order of names: with all of them, or throws.
    using Visit = std::function<void(ObjectInfo const&)>;
    virtual void each(std::string const& prefix, Visit const& visit) = 0;
    // Removing what is not there is no error.
    virtual void remove(std::string const& name) = 0;
    // Returns when everything put before is durable, by this process or, in a folder that was
    // listed (but not its subfolders), by any other. After a failure nothing put since the last
    // barrier may be relied on.
    virtual void barrier() = 0;

    // The objects of each(), where they are few.
    std::vector<ObjectInfo> list(std::string const& prefix);
};

// A whole object of at most `limit` bytes.
Bytes get_whole(Backend& backend, std::string const& name, std::uint64_t limit);

}  // namespace coffre
