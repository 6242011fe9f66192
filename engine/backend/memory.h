// Objects in memory, for tests.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <map>
#include <mutex>

#include "engine/backend/backend.h"

namespace coffre {

class MemoryBackend final : public Backend {
public:
    PutResult put(std::string const& name, ByteView bytes) override;
    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override;
    std::optional<ObjectInfo> stat(std::string const& name) override;
    void each(std::string const& prefix, Visit const& visit) override;
    void remove(std::string const& name) override;
    void barrier() override {}

    // What a fault may do to a store: the objects themselves, to look at and to damage.
    std::map<std::string, Bytes> objects() const;
    void replace_all(std::map<std::string, Bytes> objects);
    void set_modified(std::string const& name, std::int64_t ns);

private:
    std::vector<ObjectInfo> found_under(std::string const& prefix) const;
    ObjectInfo info(std::string const& name, Bytes const& bytes) const;

    mutable std::mutex mutex_;
    std::map<std::string, Bytes> objects_;          // by mutex_
    std::map<std::string, std::int64_t> modified_;  // by mutex_
};

}  // namespace coffre
