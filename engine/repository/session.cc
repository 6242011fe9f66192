#include "engine/repository/session.h"

#include <chrono>

#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/util/clock.h"
#include "engine/util/host.h"
#include "engine/util/process.h"
#include "format/mutant.h"
#include "format/snapshot.h"

namespace coffre {

namespace {

constexpr auto beat_interval = std::chrono::minutes(10);

}  // namespace

void end_session(Backend& store, KeyRing const& keys, SessionId const& id) {
    std::string const slot = names::snapshot(id);
    // There already: it has published after all, or somebody else has ended it.
    store.put(slot, keys.seal_signed_object(ObjectKind::snapshot, slot, encode_slot({})));
    store.barrier();
}

RepositoryError fenced() {
    return {RepositoryFailure::fenced,
            "this session was ended from elsewhere, as it showed no sign of life"};
}

void require_open(Backend& store, KeyRing const& keys, SessionId const& id) {
    // A checkpoint notes that a session is closed before it removes its slot.
    if (store.stat(names::snapshot(id)) || read_gc_log(store, keys).closed.contains(id)) {
        throw fenced();
    }
}

Session::Session(Backend& store, KeyRing const& keys)
    : store_(store), keys_(keys), id_(random_id<SessionId>()) {
    record_.host = host_name();
    ProcessIdentity const own = this_process();
    record_.boot_id = own.boot_id;
    record_.pid_namespace = own.pid_namespace;
    record_.pid = own.pid;
    record_.process_start = own.start;
    record_.created_ns = now_ns();
    announce(names::session(id_));
    heart_ = std::jthread([this](std::stop_token const& stop) { beat(stop); });
}

Session::~Session() {
    if (has_published_) return;
    try {
        end_session(store_, keys_, id_);
    } catch (...) {
        // Then a collector finds that its process is gone.
    }
}

void Session::has_published(Progress const& progress) {
    has_published_ = true;
    if (mutant("untold-publication")) return;
    std::lock_guard const lock(mutex_);
    try {
        put(names::published(id_));
    } catch (RepositoryError const& error) {
        progress.report_failure("", std::string(error.what()) +
                                        "; the snapshot is saved all the same, but should it be "
                                        "lost before the next prune, nobody would notice");
    }
}

void Session::announce(std::string const& name) {
    put(name);
    store_.barrier();
}

void Session::put(std::string const& name) {
    Bytes const object = keys_.seal_object(ObjectKind::session, name, encode_session(record_));
    if (store_.put(name, object) != PutResult::stored) {
        throw RepositoryError(RepositoryFailure::failed, name + ": exists already");
    }
}

void Session::beat(std::stop_token const& stop) {
    for (;;) {
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, beat_interval, [] { return false; });
        if (stop.stop_requested()) return;
        ++record_.beat;
        try {
            announce(names::heartbeat(id_, record_.beat));
        } catch (std::exception const&) {
            // A missed beat costs at worst a second attempt; the store's own failure shows
            // elsewhere.
        }
    }
}

}  // namespace coffre
