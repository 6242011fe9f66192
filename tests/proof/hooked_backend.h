// A backend that says when a call begins and when it has been done.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>

#include "engine/backend/decorators.h"

namespace coffre::proof {

enum class Moment { before, after };

inline bool changes_the_store(Verb verb) {
    return verb == Verb::put || verb == Verb::remove || verb == Verb::barrier;
}

// What the hook throws is the call's result, also after it has been done.
class HookedBackend final : public Backend {
public:
    using Hook = std::function<void(Moment, Verb, std::string const&)>;

private:
    template <class Action>
    auto call(Verb verb, std::string const& name, Action const& action) {
        hook_(Moment::before, verb, name);
        auto result = action();
        hook_(Moment::after, verb, name);
        return result;
    }

public:
    HookedBackend(std::shared_ptr<Backend> inner, Hook hook)
        : inner_(std::move(inner)), hook_(std::move(hook)) {}

    PutResult put(std::string const& name, ByteView bytes) override {
        return call(Verb::put, name, [&] { return inner_->put(name, bytes); });
    }
    Bytes get(std::string const& name, std::uint64_t offset, std::uint64_t size) override {
        return call(Verb::get, name, [&] { return inner_->get(name, offset, size); });
    }
    std::optional<ObjectInfo> stat(std::string const& name) override {
        return call(Verb::stat, name, [&] { return inner_->stat(name); });
    }
    void each(std::string const& prefix, Visit const& visit) override {
        auto const found = call(Verb::list, prefix, [&] { return inner_->list(prefix); });
        for (auto const& object : found) visit(object);
    }
    void remove(std::string const& name) override {
        call(Verb::remove, name, [&] {
            inner_->remove(name);
            return 0;
        });
    }
    void barrier() override {
        call(Verb::barrier, "", [&] {
            inner_->barrier();
            return 0;
        });
    }

private:
    std::shared_ptr<Backend> inner_;
    Hook hook_;
};

}  // namespace coffre::proof
