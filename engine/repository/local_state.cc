#include "engine/repository/local_state.h"

#include <algorithm>

#include "engine/crypto/hash.h"
#include "engine/util/file_lock.h"
#include "engine/util/small_file.h"
#include "format/limits.h"
#include "format/wire.h"

namespace coffre {

namespace {

constexpr std::string_view file_mark = "coffre-state-4";
constexpr std::uint64_t most_copies = 1000;
// Millions of writers. None may be forgotten to save room: its newest snapshot could then be taken
// away unnoticed.
constexpr std::uint64_t most_bytes = limits::object_size;

std::string file_of(std::string const& folder) {
    return folder + "/state";
}

Bytes encode(LocalState const& state) {
    Writer out;
    out.text(file_mark);
    out.id(state.repository);
    out.id(state.writer);
    out.u8(state.encrypted ? 1 : 0);
    out.u32(state.epochs);
    out.id(state.newest_secret);
    out.u64(state.sequence);
    out.u64(state.log_records);
    out.varint(state.heads.size());
    for (auto const& [writer, head] : state.heads) {
        out.id(writer);
        out.id(head);
    }
    out.varint(state.copies.size());
    for (auto const& [repository, copy] : state.copies) {
        out.id(repository);
        out.text(copy.destination);
        out.u64(static_cast<std::uint64_t>(copy.time_ns));
        out.u64(static_cast<std::uint64_t>(copy.copied_ns));
    }
    out.u64(xxh3(out.view()));
    return out.take();
}

void drop_oldest_copies(LocalState& state) {
    while (state.copies.size() > most_copies) {
        state.copies.erase(std::min_element(
            state.copies.begin(), state.copies.end(),
            [](auto const& a, auto const& b) { return a.second.copied_ns < b.second.copied_ns; }));
    }
}

LocalState decode(ByteView bytes) {
    Reader in(bytes, "local state");
    LocalState state;
    if (in.text(64, "mark") != file_mark) in.fail("not a state file");
    state.repository = in.id<RepositoryId>();
    state.writer = in.id<WriterId>();
    state.encrypted = in.bounded(1, "mode") == 1;
    state.epochs = in.u32();
    state.newest_secret = in.id<SecretMark>();
    state.sequence = in.u64();
    state.log_records = in.u64();
    for (auto n = in.count(limits::log_entries, "number of heads"); n > 0; --n) {
        auto const writer = in.id<WriterId>();
        state.heads[writer] = in.id<SessionId>();
    }
    for (auto n = in.count(most_copies, "number of copies"); n > 0; --n) {
        CopyElsewhere& copy = state.copies[in.id<RepositoryId>()];
        copy.destination = in.text(limits::text_size, "destination");
        copy.time_ns = static_cast<std::int64_t>(in.u64());
        copy.copied_ns = static_cast<std::int64_t>(in.u64());
    }
    ByteView const covered = bytes.first(bytes.size() - in.remaining());
    if (in.u64() != xxh3(covered)) in.fail("checksum differs");
    in.expect_end();
    return state;
}

}  // namespace

std::optional<LocalState> read_local_state(std::string const& folder,
                                           RepositoryId const& repository) {
    auto const text = read_small_file(file_of(folder), most_bytes);
    if (!text) return std::nullopt;
    try {
        LocalState state = decode(as_bytes(*text));
        if (state.repository == repository) return state;
    } catch (FormatError const&) {
        // Only a hint is lost: what this machine saw before.
    }
    return std::nullopt;
}

LocalState load_local_state(std::string const& folder, RepositoryId const& repository) {
    if (auto known = read_local_state(folder, repository)) return std::move(*known);
    LocalState fresh;
    fresh.repository = repository;
    fresh.writer = random_id<WriterId>();
    return fresh;
}

bool has_newest_seen(KeyRing const& keys, LocalState const& state) {
    if (state.epochs == 0) return true;
    return state.epochs <= keys.newest_epoch() && keys.mark(state.epochs) == state.newest_secret;
}

void note_newest(KeyRing const& keys, LocalState& state) {
    state.epochs = keys.newest_epoch();
    state.newest_secret = keys.mark(state.epochs);
}

LocalState update_local_state(std::string const& folder, LocalState const& known,
                              std::function<void(LocalState&)> const& change) {
    FileLock const lock(file_of(folder) + ".lock");
    LocalState state = read_local_state(folder, known.repository).value_or(known);
    change(state);
    drop_oldest_copies(state);
    replace_small_file(file_of(folder), to_text(encode(state)));
    return state;
}

}  // namespace coffre
