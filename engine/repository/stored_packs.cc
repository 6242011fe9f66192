#include "engine/repository/stored_packs.h"

#include <algorithm>

#include "engine/repository/names.h"

namespace coffre {

StoredPacks::StoredPacks(Repository& repository, GcState const& log) : packs_(repository.folder()) {
    repository.store().each("packs/", [&](ObjectInfo const& object) {
        auto const id = names::pack_of(object.name);
        if (id && !log.is_swept(*id)) packs_.push_back({*id, object.size});
    });
}

std::optional<std::uint64_t> StoredPacks::size_of(PackId const& id) const {
    auto const* const found = std::lower_bound(begin(), end(), StoredPack{id, 0});
    if (found == end() || found->id != id) return std::nullopt;
    return found->size;
}

}  // namespace coffre
