#include "engine/snapshot/chain.h"

namespace coffre {

void continue_chain(Repository& repository, Snapshot& snapshot) {
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
    LocalState& state = repository.local_state();
    state.heads[snapshot.writer] = id;
    state.sequence = snapshot.sequence;
    state.log_records = log.next_record;
    keep_local_state(repository, progress);
}

}  // namespace coffre
