#include "engine/progress.h"

#include "engine/error.h"

namespace coffre {

void Progress::check_stop() const {
    if (stop) throw RepositoryError(RepositoryFailure::interrupted, "interrupted");
}

}  // namespace coffre
