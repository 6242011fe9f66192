// A disk whose power can be cut: it remembers the order of all changes, and says what may be left
// of them at any moment.
//
// A put is certain once a barrier that began after it has returned, one of the same writer or of
// one that had listed its folder in between. Until then any part of the puts may be lost, and in
// the worst model be torn; a remove may be undone.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <set>

#include "engine/backend/memory.h"

namespace coffre::proof {

struct DiskEvent {
    enum class Kind { put, remove, list, barrier_begins, barrier_ends, acknowledged };
    Kind kind;
    unsigned writer;
    std::string name;  // an object; a folder when it is a list; what was acknowledged
    Bytes bytes;
};

using DiskLog = std::vector<DiskEvent>;

enum class Tear { none, sectors };

// What a cut left.
struct DiskState {
    std::map<std::string, Bytes> objects;
    std::set<std::string> torn;
    std::set<std::string> acknowledged;

    // Equal for states that are.
    std::string key() const;
};

// A cut after the first `events` of the log.
DiskState cut_power(DiskLog const& log, std::size_t events, Tear tear, std::mt19937_64& random);

// The objects that no cut after the first `events` of the log can take away.
std::set<std::string> certain_objects(DiskLog const& log, std::size_t events);

class PowerCutDisk {
public:
    // The disk as one process sees it. The disk outlives it.
    std::shared_ptr<Backend> writer();
    // Somebody was told that this is safe.
    void acknowledge(std::string name);

    DiskLog log() const;
    // Called after each event, with the writer; may use the disk itself.
    void on_event(std::function<void(unsigned)> listener) { listener_ = std::move(listener); }

private:
    class Writer;
    void note(DiskEvent event);

    MemoryBackend store_;
    unsigned writers_ = 0;
    std::function<void(unsigned)> listener_;
    mutable std::mutex mutex_;
    DiskLog log_;  // by mutex_
};

}  // namespace coffre::proof
