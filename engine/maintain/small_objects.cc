#include "engine/maintain/small_objects.h"

#include "engine/maintain/open_sessions.h"
#include "engine/repository/key_slots.h"
#include "engine/repository/snapshot_store.h"
#include "format/limits.h"

namespace coffre {

namespace {

void examine_forget(Repository& repository, std::string const& name) {
    Bytes const object = get_whole(repository.store(), name, limits::object_size);
    Bytes const content = repository.keys().open_signed_object(ObjectKind::forget, name, object);
    naming(name, [&] { decode_forget(content); });
}

}  // namespace

void examine_small_object(Repository& repository, std::string const& name) {
    if (name.starts_with("keys/")) describe_key_slot(repository.store(), repository.keys(), name);
    if (name.starts_with("sessions/")) read_session(repository, name);
    if (name.starts_with("snapshots/")) read_slot(repository, name);
    if (name.starts_with("forgets/")) examine_forget(repository, name);
}

}  // namespace coffre
