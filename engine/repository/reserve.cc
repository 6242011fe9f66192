#include "engine/repository/reserve.h"

#include "engine/crypto/secret.h"
#include "engine/repository/names.h"

namespace coffre {

void make_reserve(Backend& store) {
    if (store.stat(names::reserve)) return;
    Bytes bytes = Bytes::uncleared(reserve_size);
    fill_noise(bytes);  // a file system that compresses must not make it smaller
    try {
        store.put(names::reserve, bytes);
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::no_space) throw;
    }
}

bool release_reserve(Backend& store) {
    if (!store.stat(names::reserve)) return false;
    store.remove(names::reserve);
    store.barrier();
    return true;
}

}  // namespace coffre
