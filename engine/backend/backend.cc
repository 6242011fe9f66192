#include "engine/backend/backend.h"

namespace coffre {

std::vector<ObjectInfo> Backend::list(std::string const& prefix) {
    std::vector<ObjectInfo> found;
    each(prefix, [&](ObjectInfo const& object) { found.push_back(object); });
    return found;
}

Bytes get_whole(Backend& backend, std::string const& name, std::uint64_t limit) {
    auto const info = backend.stat(name);
    if (!info) throw corrupt(name + ": is missing");
    if (info->size > limit) {
        throw corrupt(name + ": has " + std::to_string(info->size) + " bytes, above the limit of " +
                      std::to_string(limit));
    }
    return backend.get(name, 0, info->size);
}

}  // namespace coffre
