#include "engine/repository/packer.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t full_bytes = 16 * limits::mib;
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
    return std::max({of(bytes, full_bytes), of(chunks, full_chunks), of(keys, full_keys)});
}

Packer::Packer(SessionId const& session, std::function<void(OpenPack)> hand_on)
    : session_(session),
      hand_on_(std::move(hand_on)),
      memory_(std::make_shared<PagePool>(full_bytes + full_bytes / 8)) {}

void Packer::add(SealedBlock block, std::vector<WrappedKey> const& keys) {
    auto const [open, is_new] = open_.try_emplace(block.kind);
    auto& [pack, chunks] = open->second;
    if (is_new) pack = begin_pack(block.kind, session_, {}, memory_->get());
    stored_bytes_ += block.stored.size();
    chunks += block.row.chunks.size();
    take_key(pack.directory, block.row.key, keys);
    append_block(pack, std::move(block));
    PackFill const fill{pack.bytes.size(), chunks, pack.directory.keys.size()};
    if (fill.share() >= 1) hand_on_(std::move(open_.extract(open).mapped().pack));
}

void Packer::flush() {
    while (!open_.empty()) hand_on_(std::move(open_.extract(open_.begin()).mapped().pack));
}

}  // namespace coffre
