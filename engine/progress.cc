#include "engine/progress.h"

#include "engine/error.h"

namespace coffre {

void Progress::restart() {
    for (auto* const count : {&files, &bytes, &total_files, &total_bytes}) *count = 0;
}

void Progress::check_stop() const {
    if (stop) throw RepositoryError(RepositoryFailure::interrupted, "interrupted");
}

void Progress::report_failure(std::string const& path, std::string const& message) const {
    std::lock_guard const lock(failure_mutex_);
    if (on_failure) on_failure(path, message);
}

}  // namespace coffre
