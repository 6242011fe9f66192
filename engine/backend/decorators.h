// Backends around a backend: one that counts its calls, one that fails when told to.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>

#include "engine/backend/backend.h"

namespace coffre {

enum class Verb { put, get, stat, list, remove, barrier };

// Calls `before` with each verb and name, then passes the call on. An exception from it is the
// call's result.
class ObservedBackend final : public Backend {
public:
    using Observer = std::function<void(Verb, std::string const&)>;

    // `inner` outlives this.
    ObservedBackend(Backend& inner, Observer before) : inner_(inner), before_(std::move(before)) {}

    PutResult put(std::string const& name, ByteView bytes) override;
    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override;
    std::optional<ObjectInfo> stat(std::string const& name) override;
    void each(std::string const& prefix, Visit const& visit) override;
    void remove(std::string const& name) override;
    void barrier() override;

private:
    Backend& inner_;
    Observer before_;
};

// Counts calls, all and by verb. Threads may share it.
class CallCounter {
public:
    void operator()(Verb verb) { ++calls_[static_cast<std::size_t>(verb)]; }
    std::uint64_t of(Verb verb) const { return calls_[static_cast<std::size_t>(verb)]; }
    std::uint64_t total() const;

private:
    std::atomic<std::uint64_t> calls_[6]{};
};

// Lets calls pass until the `call`-th (from 1) that changes the store or, with Scope::any, of any
// kind; that one fails, and with Then::stay_broken all after it: what a crash looks like.
class FaultPlan {
public:
    enum class Scope { changes, any };
    enum class Then { recover, stay_broken };

    FaultPlan(std::uint64_t call, Scope scope, Then then, RepositoryFailure failure)
        : call_(call), scope_(scope), then_(then), failure_(failure) {}

    void operator()(Verb verb, std::string const& name);
    bool has_failed() const { return seen_ >= call_; }

private:
    std::uint64_t call_;
    Scope scope_;
    Then then_;
    RepositoryFailure failure_;
    std::atomic<std::uint64_t> seen_{0};
};

}  // namespace coffre
