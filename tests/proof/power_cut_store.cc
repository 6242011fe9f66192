#include "power_cut_store.h"

#include <algorithm>

namespace coffre::proof {

namespace {

using Kind = DiskEvent::Kind;

constexpr std::size_t sector = 512;

// How far an object has got.
struct Advance {
    DiskEvent const* put = nullptr;
    unsigned removed_by = 0;
    bool is_removed = false;
    bool is_put_certain = false;
    bool is_removal_certain = false;
};

// What the disk has promised after a part of its log.
class Promises {
public:
    void apply(DiskEvent const& event) {
        switch (event.kind) {
            case Kind::put:
                objects_[event.name].put = &event;
                return;
            case Kind::remove:
                remove(event);
                return;
            case Kind::list:
                listed_[event.writer].insert(event.name);
                return;
            case Kind::barrier_begins:
                begin_barrier(event.writer);
                return;
            case Kind::barrier_ends:
                end_barrier(event.writer);
                return;
            case Kind::acknowledged:
                acknowledged_.insert(event.name);
                return;
        }
    }
    std::map<std::string, Advance> const& objects() const { return objects_; }
    std::set<std::string> const& acknowledged() const { return acknowledged_; }

private:
    struct Covered {
        std::set<std::string> puts;
        std::set<std::string> removals;
    };

    void remove(DiskEvent const& event) {
        Advance& object = objects_[event.name];
        object.is_removed = true;
        object.removed_by = event.writer;
    }
    bool has_listed(unsigned writer, std::string const& name) {
        auto const& folders = listed_[writer];
        return std::any_of(folders.begin(), folders.end(),
                           [&](std::string const& folder) { return name.starts_with(folder); });
    }
    void begin_barrier(unsigned writer) {
        Covered& covered = covered_[writer];
        covered = {};
        for (auto const& [name, object] : objects_) {
            bool const listed = has_listed(writer, name);
            if (object.put != nullptr && (object.put->writer == writer || listed)) {
                covered.puts.insert(name);
            }
            if (object.is_removed && object.removed_by == writer) covered.removals.insert(name);
        }
        listed_[writer].clear();
    }
    void end_barrier(unsigned writer) {
        Covered const& covered = covered_[writer];
        for (auto const& name : covered.puts) objects_[name].is_put_certain = true;
        for (auto const& name : covered.removals) objects_[name].is_removal_certain = true;
    }

    std::map<std::string, Advance> objects_;
    std::map<unsigned, std::set<std::string>> listed_;
    std::map<unsigned, Covered> covered_;
    std::set<std::string> acknowledged_;
};

bool coin(std::mt19937_64& random) {
    return (random() & 1U) != 0;
}

std::size_t below(std::mt19937_64& random, std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random);
}

// Cut at a sector, or with some sectors that were never written.
Bytes torn(Bytes bytes, std::mt19937_64& random) {
    std::size_t const sectors = (bytes.size() + sector - 1) / sector;
    if (sectors == 0) return bytes;
    std::size_t const first = below(random, sectors);
    if (coin(random)) {
        bytes.resize(first * sector);
        return bytes;
    }
    std::size_t const count = 1 + below(random, sectors - first);
    std::size_t const end = std::min(bytes.size(), (first + count) * sector);
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(first * sector),
              bytes.begin() + static_cast<std::ptrdiff_t>(end), std::byte{0});
    return bytes;
}

bool is_left(Advance const& object, std::mt19937_64& random) {
    if (object.put == nullptr) return false;
    if (!object.is_put_certain && !coin(random)) return false;
    if (!object.is_removed) return true;
    return !object.is_removal_certain && coin(random);
}

}  // namespace

std::string DiskState::key() const {
    std::string key;
    auto const add = [&](std::string_view part) {
        key.append(part);
        key.push_back('/');
    };
    for (auto const& [name, bytes] : objects) {
        add(name);
        if (torn.contains(name)) add(to_text(bytes));
    }
    add("acknowledged");
    for (auto const& name : acknowledged) add(name);
    return key;
}

DiskState cut_power(DiskLog const& log, std::size_t events, Tear tear, std::mt19937_64& random) {
    Promises promises;
    for (std::size_t i = 0; i < events; ++i) promises.apply(log[i]);
    DiskState state;
    state.acknowledged = promises.acknowledged();
    for (auto const& [name, object] : promises.objects()) {
        if (!is_left(object, random)) continue;
        Bytes bytes = object.put->bytes;
        if (tear == Tear::sectors && !object.is_put_certain && coin(random)) {
            bytes = torn(std::move(bytes), random);
            if (bytes != object.put->bytes) state.torn.insert(name);
        }
        state.objects.emplace(name, std::move(bytes));
    }
    return state;
}

std::set<std::string> certain_objects(DiskLog const& log, std::size_t events) {
    Promises promises;
    for (std::size_t i = 0; i < events; ++i) promises.apply(log[i]);
    std::set<std::string> certain;
    for (auto const& [name, object] : promises.objects()) {
        if (object.is_put_certain && !object.is_removed) certain.insert(name);
    }
    return certain;
}

class PowerCutDisk::Writer final : public Backend {
public:
    Writer(PowerCutDisk& disk, unsigned number) : disk_(disk), number_(number) {}

    PutResult put(std::string const& name, ByteView bytes) override {
        PutResult const result = disk_.store_.put(name, bytes);
        if (result == PutResult::stored) {
            disk_.note({Kind::put, number_, name, {bytes.begin(), bytes.end()}});
        }
        return result;
    }
    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override {
        return disk_.store_.get(name, offset, size);
    }
    std::optional<ObjectInfo> stat(std::string const& name) override {
        return disk_.store_.stat(name);
    }
    void each(std::string const& prefix, Visit const& visit) override {
        auto const found = disk_.store_.list(prefix);
        disk_.note({Kind::list, number_, prefix, {}});
        for (auto const& object : found) visit(object);
    }
    void remove(std::string const& name) override {
        disk_.store_.remove(name);
        disk_.note({Kind::remove, number_, name, {}});
    }
    void barrier() override {
        disk_.note({Kind::barrier_begins, number_, "", {}});
        disk_.note({Kind::barrier_ends, number_, "", {}});
    }

private:
    PowerCutDisk& disk_;
    unsigned number_;
};

std::shared_ptr<Backend> PowerCutDisk::writer() {
    return std::make_shared<Writer>(*this, writers_++);
}

void PowerCutDisk::acknowledge(std::string name) {
    note({Kind::acknowledged, 0, std::move(name), {}});
}

DiskLog PowerCutDisk::log() const {
    std::lock_guard const lock(mutex_);
    return log_;
}

void PowerCutDisk::note(DiskEvent event) {
    unsigned const writer = event.writer;
    {
        std::lock_guard const lock(mutex_);
        log_.push_back(std::move(event));
    }
    if (listener_) listener_(writer);
}

}  // namespace coffre::proof
