#include "engine/snapshot/chain.h"

#include <algorithm>

namespace coffre {

void continue_chain(Repository& repository, Snapshot& snapshot) {
    // Another run of this machine may have published meanwhile.
    repository.reload_local_state();
    LocalState const& state = repository.local_state();
    snapshot.writer = state.writer;
    snapshot.previous = {};
    snapshot.sequence = 0;
    auto const head = state.heads.find(state.writer);
    if (head == state.heads.end()) return;
    snapshot.previous = head->second;
    snapshot.sequence = state.sequence + 1;
}

void remember_published(Repository& repository, SessionId const& id, Snapshot const& snapshot,
                        GcState const& log, Progress const& progress) {
    repository.keep_local_state(&progress, [&](LocalState& state) {
        bool const is_own = state.writer == snapshot.writer;
        bool const is_newest = !is_own || snapshot.sequence >= state.sequence;
        if (is_newest) state.heads[snapshot.writer] = id;
        if (is_own && is_newest) state.sequence = snapshot.sequence;
        state.log_records = std::max(state.log_records, log.next_record);
    });
}

}  // namespace coffre
