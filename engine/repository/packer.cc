#include "engine/repository/packer.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

// With the last block, padding and directory, of usual sizes.
constexpr std::size_t memory_bytes = full_pack_bytes + 2 * limits::mib;
// A million tiny files would else make one pack's directory larger than the pack.
constexpr std::size_t full_chunks = 32 * limits::kib;
// Each short run has a key of its own, and many such runs may be moved into one pack.
constexpr std::size_t full_keys = 1024;
static_assert(full_keys < limits::keys_per_pack);

void take_key(PackDirectory& directory, KeyId const& id, std::vector<WrappedKey> const& known) {
    auto const is_it = [&](WrappedKey const& key) { return key.id == id; };
    auto& taken = directory.keys;
    if (id.is_zero() || std::any_of(taken.begin(), taken.end(), is_it)) return;
    std::copy_if(known.begin(), known.end(), std::back_inserter(taken), is_it);
}

}  // namespace

SessionKeys::SessionKeys(KeyRing const& keys)
    : data(keys.make_session_key(PackKind::data)), meta(keys.make_session_key(PackKind::meta)) {
    if (keys.mode() == Mode::none) return;
    wrapped_data.push_back(keys.wrap(data));
    wrapped_meta.push_back(keys.wrap(meta));
}

double PackFill::share() const {
    auto const of = [](std::uint64_t part, std::size_t full) {
        return static_cast<double>(part) / static_cast<double>(full);
    };
    return std::max({of(bytes, full_pack_bytes), of(chunks, full_chunks), of(keys, full_keys)});
}

Packer::Packer(SessionId const& session, std::function<void(OpenPack)> hand_on)
    : session_(session),
      hand_on_(std::move(hand_on)),
      memory_(std::make_shared<PagePool>(memory_bytes)) {}

void Packer::seal(EncodedBlock block, SessionKeys const& keys, RepositoryId const& repository) {
    SessionKey const& key = keys.of(block.kind);
    block.row.key = key.id;
    block.row.stored_size = static_cast<std::uint32_t>(sealed_size(key, block.content.size()));
    add(block.kind, std::move(block.row), keys.wrapped(block.kind),
        [&](std::span<std::byte> place) { seal_block(key, repository, block.content, place); });
}

void Packer::add(SealedBlock block, std::vector<WrappedKey> const& keys) {
    block.row.stored_size = static_cast<std::uint32_t>(block.stored.size());
    add(block.kind, std::move(block.row), keys, [&](std::span<std::byte> place) {
        std::copy(block.stored.begin(), block.stored.end(), place.begin());
    });
}

void Packer::add(PackKind kind, BlockRow row, std::vector<WrappedKey> const& keys,
                 Fill const& fill) {
    Lock lock(mutex_);
    Open& open = pack_with_room(kind, row.stored_size, lock);
    BlockPlace const place = reserve(open, std::move(row), keys);
    lock.unlock();
    ChecksumTable::Units units;
    std::exception_ptr failure;
    try {
        fill(place.bytes());
        units = ChecksumTable::of_units(place.pack, place.offset);
    } catch (...) {
        failure = std::current_exception();
    }
    lock.lock();
    open.pack.checksums.add(units);
    open.is_broken |= failure != nullptr;
    --open.empty_places;
    hand_on_if_complete(kind);
    if (failure) std::rethrow_exception(failure);
}

// Waits for those who still fill places of a full one: else there were one pack more in memory.
Packer::Open& Packer::pack_with_room(PackKind kind, std::size_t size, Lock& lock) {
    while (true) {
        handed_on_.wait(lock, [&] { return !open_.contains(kind) || !open_.at(kind).is_full; });
        if (!open_.contains(kind)) begin(kind, size);
        Open& open = open_.at(kind);
        if (open.pack.bytes.has_room(size)) return open;
        open.is_full = true;
        hand_on_if_complete(kind);
    }
}

void Packer::begin(PackKind kind, std::size_t size) {
    std::size_t const needed = pack_header_size + size;
    Pages memory = needed > memory_bytes ? Pages(needed) : memory_->get();
    open_[kind].pack = begin_pack(kind, session_, {}, std::move(memory));
}

BlockPlace Packer::reserve(Open& open, BlockRow row, std::vector<WrappedKey> const& keys) {
    stored_bytes_ += row.stored_size;
    open.chunks += row.chunks.size();
    take_key(open.pack.directory, row.key, keys);
    BlockPlace const place = place_block(open.pack, std::move(row));
    ++open.empty_places;
    PackFill const fill{open.pack.bytes.size(), open.chunks, open.pack.directory.keys.size()};
    open.is_full = fill.share() >= 1;
    return place;
}

void Packer::hand_on_if_complete(PackKind kind) {
    Open const& open = open_.at(kind);
    if (!open.is_full || open.empty_places > 0) return;
    auto complete = open_.extract(kind);
    handed_on_.notify_all();
    if (!complete.mapped().is_broken) hand_on_(std::move(complete.mapped().pack));
}

void Packer::flush() {
    Lock const lock(mutex_);
    for (auto const kind : {PackKind::data, PackKind::meta}) {
        auto const open = open_.find(kind);
        if (open == open_.end()) continue;
        open->second.is_full = true;
        hand_on_if_complete(kind);
    }
}

}  // namespace coffre
