#include "engine/repository/reserve.h"

#include "engine/crypto/secret.h"
#include "engine/repository/names.h"
#include "format/limits.h"

namespace coffre {

namespace {

// Thousands of records and some bundles.
constexpr std::size_t reserve_size = 4 * limits::mib;

}  // namespace

void make_reserve(Backend& store) {
    if (store.stat(names::reserve)) return;
    Bytes bytes(reserve_size);
    fill_random(bytes);  // a file system that compresses must not make it smaller
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
