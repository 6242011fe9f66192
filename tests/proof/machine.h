// One of the machines of a crowd, and what all of them called.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>

#include "schedule.h"

namespace coffre::proof {

// What was called, in which order. Objects are named by the order in which they appear, since their
// names rest on where the test's folders are.
class Trace {
public:
    void add(Schedule::Machine machine, Verb verb, std::string const& name) {
        auto const slash = name.find('/');
        auto const folder = slash == std::string::npos ? name : name.substr(0, slash);
        auto const known = ordinals_.emplace(name, ordinals_.size()).first;
        calls_.push_back(std::to_string(machine) + " " + std::to_string(static_cast<int>(verb)) +
                         " " + folder + " " + std::to_string(known->second));
    }
    Names const& calls() const { return calls_; }

private:
    std::map<std::string, std::size_t> ordinals_;
    Names calls_;
};

// Announcing, condemning, publishing, giving up, and looking for them.
inline Weight weight_of(Verb verb, std::string const& name) {
    bool const is_read = verb == Verb::get;  // of what was found just before
    bool const is_step = name.starts_with("sessions/") || name.starts_with("gclog/") ||
                         name.starts_with("snapshots/") || name.starts_with("forgets/");
    if (!is_step || is_read) return Weight::call;
    bool const is_awaited = !name.starts_with("forgets/");  // or contended for
    return verb == Verb::put && is_awaited ? Weight::decision : Weight::step;
}

// Its own view of the store, and the moment at which it stops for good, if any.
class Machine {
public:
    static constexpr auto never = ~std::uint64_t{0};

    Machine(Schedule::Machine id, Schedule& schedule, Trace& trace, TestRepo& repo,
            std::uint64_t dies_at)
        : dies_at_(dies_at),
          backend_(std::make_shared<ObservedBackend>(
              repo.store(),
              [this, id, &schedule, &trace](Verb verb, std::string const& name) {
                  // What a machine that has stopped still tries is no call of the store.
                  if (!has_stopped()) {
                      schedule.pass(id, weight_of(verb, name));
                      trace.add(id, verb, name);
                      if (++calls_ < dies_at_) return;
                  }
                  throw RepositoryError(RepositoryFailure::failed, name + ": the machine stopped");
              })),
          credentials_(repo.credentials()) {}
    // As its next command does.
    void open() {
        repository_.reset();
        repository_ = open_repository(backend_, credentials_, {cache_.path(), false, {}});
    }
    bool has_stopped() const { return calls_ >= dies_at_; }
    Repository& operator*() { return *repository_; }

private:
    TempFolder cache_;
    std::atomic<std::uint64_t> calls_{0};
    std::uint64_t dies_at_;
    std::shared_ptr<ObservedBackend> backend_;
    Credentials credentials_;
    std::shared_ptr<Repository> repository_;
};

}  // namespace coffre::proof
