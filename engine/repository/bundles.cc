#include "engine/repository/bundles.h"

#include "engine/repository/names.h"
#include "format/limits.h"

namespace coffre {

Bundle read_bundle(Backend& store, KeyRing const& keys, std::string const& name) {
    Bytes const object = get_whole(store, name, limits::object_size);
    Bytes const content = keys.open_object(ObjectKind::bundle, name, object);
    try {
        return decode_bundle(unpad(content, "bundle"));
    } catch (FormatError const& error) {
        throw RepositoryError(RepositoryFailure::corrupt, name + ": " + error.what());
    }
}

BundleId put_bundle(Backend& store, KeyRing const& keys, Bundle const& bundle) {
    BundleId const id = random_id<BundleId>();
    std::string const name = names::bundle(id);
    Bytes const object = keys.seal_object(ObjectKind::bundle, name, pad(encode_bundle(bundle)));
    // A bundle speaks of durable packs only.
    store.barrier();
    if (store.put(name, object) != PutResult::stored) {
        throw RepositoryError(RepositoryFailure::failed, name + ": exists already");
    }
    store.barrier();
    return id;
}

}  // namespace coffre
