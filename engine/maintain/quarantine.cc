#include "engine/maintain/quarantine.h"

#include "engine/repository/names.h"
#include "format/limits.h"

namespace coffre {

Bytes quarantine(Backend& store, std::string const& name) {
    auto const object = store.stat(name);
    if (!object) return {};
    if (object->size > limits::object_size) {
        throw corrupt(name + ": is too large to be moved");
    }
    Bytes bytes = store.get(name, 0, object->size);
    std::string const first = names::quarantined(name);
    std::string to = first;
    // What an earlier repair has moved there, under the same name, may be something else.
    for (int next = 2; store.put(to, bytes) == PutResult::exists; ++next) {
        if (get_whole(store, to, limits::object_size) == bytes) break;
        to = first + "." + std::to_string(next);
    }
    store.barrier();
    store.remove(name);
    store.barrier();
    return bytes;
}

}  // namespace coffre
