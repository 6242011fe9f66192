#include "engine/backend/decorators.h"

namespace coffre {

PutResult ObservedBackend::put(std::string const& name, ByteView bytes) {
    before_(Verb::put, name);
    return inner_.put(name, bytes);
}

Bytes ObservedBackend::get(std::string const& name, std::uint64_t offset, std::uint64_t size) {
    before_(Verb::get, name);
    return inner_.get(name, offset, size);
}

std::optional<ObjectInfo> ObservedBackend::stat(std::string const& name) {
    before_(Verb::stat, name);
    return inner_.stat(name);
}

void ObservedBackend::each(std::string const& prefix, Visit const& visit) {
    before_(Verb::list, prefix);
    inner_.each(prefix, visit);
}

void ObservedBackend::remove(std::string const& name) {
    before_(Verb::remove, name);
    inner_.remove(name);
}

void ObservedBackend::barrier() {
    before_(Verb::barrier, "barrier");
    inner_.barrier();
}

std::uint64_t CallCounter::total() const {
    std::uint64_t sum = 0;
    for (auto const& calls : calls_) sum += calls;
    return sum;
}

void FaultPlan::operator()(Verb verb, std::string const& name) {
    bool const changes = verb == Verb::put || verb == Verb::remove || verb == Verb::barrier;
    if (scope_ == Scope::changes && !changes) return;
    std::uint64_t const call = ++seen_;
    if (call == call_ || (call > call_ && then_ == Then::stay_broken)) {
        throw RepositoryError(failure_, name + ": planned fault at call " + std::to_string(call));
    }
}

}  // namespace coffre
