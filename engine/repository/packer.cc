#include "engine/repository/packer.h"

namespace coffre {

namespace {

// A million tiny files would else make one pack's directory larger than the pack.
constexpr std::size_t chunks_per_pack = 32 * std::size_t{1024};

}  // namespace

SessionKeys::SessionKeys(KeyRing const& keys)
    : data(keys.make_session_key(PackKind::data)), meta(keys.make_session_key(PackKind::meta)) {
    if (keys.mode() == Mode::none) return;
    wrapped_data.push_back(keys.wrap(data));
    wrapped_meta.push_back(keys.wrap(meta));
}

Packer::Packer(SessionId const& session, SessionKeys const& keys, std::size_t target,
               std::function<void(OpenPack)> hand_on)
    : session_(session),
      keys_(keys),
      target_(target),
      hand_on_(std::move(hand_on)),
      memory_(std::make_shared<PagePool>(target + target / 8)) {}

void Packer::add(SealedBlock block) {
    PackKind const kind = block.kind;
    auto open = open_.find(kind);
    if (open == open_.end()) {
        auto pack = begin_pack(kind, session_, keys_.wrapped(kind), memory_->get());
        open = open_.emplace(kind, std::move(pack)).first;
    }
    stored_bytes_ += block.stored.size();
    std::size_t& chunks = chunks_[kind] += block.row.chunks.size();
    append_block(open->second, std::move(block));
    if (open->second.bytes.size() < target_ && chunks < chunks_per_pack) return;
    chunks = 0;
    hand_on_(std::move(open_.extract(open).mapped()));
}

void Packer::flush() {
    while (!open_.empty()) hand_on_(std::move(open_.extract(open_.begin()).mapped()));
}

}  // namespace coffre
