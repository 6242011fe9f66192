#include "engine/repository/pack_store.h"

#include "engine/repository/names.h"
#include "engine/repository/pack_builder.h"
#include "format/limits.h"

namespace coffre {

namespace {

void put_new(Backend& store, std::string const& name, ByteView object) {
    if (store.put(name, object) == PutResult::stored) return;
    throw RepositoryError(RepositoryFailure::failed, name + ": exists already");
}

}  // namespace

BundleRow put_pack(Backend& store, KeyRing const& keys, OpenPack pack) {
    FinishedPack finished = finish_pack(keys, std::move(pack));
    put_new(store, finished.name, finished.bytes.view());
    return std::move(finished.row);
}

std::optional<SessionId> session_of_pack(Backend& store, PackId const& pack) {
    std::string const name = names::pack(pack);
    try {
        Bytes const header = store.get(name, 0, pack_header_size);
        return naming(name, [&] { return decode_pack_header(header).session; });
    } catch (RepositoryError const& error) {
        // A damaged version is none that is newer.
        if (error.kind() == RepositoryFailure::unusable)
            verify_checksums(name, get_whole(store, name, limits::pack_size));
        if (error.kind() != RepositoryFailure::corrupt || store.stat(name)) throw;
        return std::nullopt;
    }
}

Bundle read_bundle(Backend& store, KeyRing const& keys, std::string const& name) {
    Bytes const object = get_whole(store, name, limits::object_size);
    Bytes const content = keys.open_object(ObjectKind::bundle, name, object);
    return naming(name, [&] { return decode_bundle(unpad(content, "bundle")); });
}

BundleId put_bundle(Backend& store, KeyRing const& keys, Bundle const& bundle) {
    BundleId const id = random_id<BundleId>();
    std::string const name = names::bundle(id);
    Bytes const object = keys.seal_object(ObjectKind::bundle, name, pad(encode_bundle(bundle)));
    // A bundle speaks of durable packs only.
    store.barrier();
    put_new(store, name, object);
    store.barrier();
    return id;
}

}  // namespace coffre
