#include "engine/backend/memory.h"

#include "engine/util/clock.h"

namespace coffre {

PutResult MemoryBackend::put(std::string const& name, ByteView bytes) {
    std::lock_guard const lock(mutex_);
    if (objects_.contains(name)) return PutResult::exists;
    append(objects_[name], bytes);
    modified_[name] = now_ns();
    return PutResult::stored;
}

Bytes MemoryBackend::get(std::string const& name, std::uint64_t offset, std::uint64_t size) {
    std::lock_guard const lock(mutex_);
    auto const found = objects_.find(name);
    if (found == objects_.end()) {
        throw corrupt(name + ": is missing");
    }
    ByteView const all(found->second);
    if (offset > all.size() || size > all.size() - offset) {
        throw corrupt(name + ": ends at byte " + std::to_string(all.size()) + ", expected " +
                      std::to_string(offset + size));
    }
    ByteView const part = all.subspan(offset, size);
    Bytes copy;
    append(copy, part);
    return copy;
}

std::optional<ObjectInfo> MemoryBackend::stat(std::string const& name) {
    std::lock_guard const lock(mutex_);
    auto const found = objects_.find(name);
    if (found == objects_.end()) return std::nullopt;
    return info(name, found->second);
}

void MemoryBackend::each(std::string const& prefix, Visit const& visit) {
    for (auto const& object : found_under(prefix)) visit(object);
}

std::vector<ObjectInfo> MemoryBackend::found_under(std::string const& prefix) const {
    std::lock_guard const lock(mutex_);
    std::vector<ObjectInfo> found;
    for (auto it = objects_.lower_bound(prefix);
         it != objects_.end() && it->first.starts_with(prefix); ++it) {
        found.push_back(info(it->first, it->second));
    }
    return found;
}

void MemoryBackend::remove(std::string const& name) {
    std::lock_guard const lock(mutex_);
    objects_.erase(name);
    modified_.erase(name);
}

std::map<std::string, Bytes> MemoryBackend::objects() const {
    std::lock_guard const lock(mutex_);
    return objects_;
}

void MemoryBackend::replace_all(std::map<std::string, Bytes> objects) {
    std::lock_guard const lock(mutex_);
    objects_ = std::move(objects);
}

void MemoryBackend::set_modified(std::string const& name, std::int64_t ns) {
    std::lock_guard const lock(mutex_);
    modified_[name] = ns;
}

ObjectInfo MemoryBackend::info(std::string const& name, Bytes const& bytes) const {
    auto const modified = modified_.find(name);
    return {name, bytes.size(), modified == modified_.end() ? 0 : modified->second};
}

}  // namespace coffre
