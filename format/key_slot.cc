#include "format/key_slot.h"

#include <algorithm>

#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::uint32_t max_passes = 16;
constexpr std::uint32_t max_memory_kib = 4U * 1024 * 1024;

void check_cost(Reader const& in, SlotPrefix const& prefix) {
    if (prefix.kind == SlotKind::key_file) {
        if (prefix.cost != KdfCost{}) in.fail("a key file slot with a passphrase's cost");
        return;
    }
    if (prefix.cost.passes == 0 || prefix.cost.passes > max_passes || prefix.cost.memory_kib < 8 ||
        prefix.cost.memory_kib > max_memory_kib) {
        in.fail("key derivation cost of " + std::to_string(prefix.cost.passes) + " passes over " +
                std::to_string(prefix.cost.memory_kib) + " KiB is outside the limits");
    }
}

}  // namespace

Bytes encode_slot_prefix(SlotPrefix const& prefix) {
    Writer out;
    write_object_header(out, ObjectKind::key_slot);
    out.u8(static_cast<std::uint8_t>(prefix.kind));
    out.u32(prefix.cost.passes);
    out.u32(prefix.cost.memory_kib);
    out.u32(prefix.epochs);
    out.raw(prefix.salt);
    out.raw(prefix.commitment);
    return out.take();
}

SlotPrefix decode_slot_prefix(Reader& in) {
    read_object_header(in, ObjectKind::key_slot);
    SlotPrefix prefix;
    auto const kind = in.u8();
    if (kind < 1 || kind > 2) in.fail("unknown slot kind " + std::to_string(kind));
    prefix.kind = static_cast<SlotKind>(kind);
    prefix.cost.passes = in.u32();
    prefix.cost.memory_kib = in.u32();
    check_cost(in, prefix);
    prefix.epochs = in.u32();
    if (prefix.epochs == 0 || prefix.epochs > limits::masters_per_slot) {
        in.fail("holds " + std::to_string(prefix.epochs) + " master secrets");
    }
    ByteView const salt = in.raw(prefix.salt.size());
    std::copy(salt.begin(), salt.end(), prefix.salt.begin());
    ByteView const commitment = in.raw(prefix.commitment.size());
    std::copy(commitment.begin(), commitment.end(), prefix.commitment.begin());
    return prefix;
}

Bytes encode_slot_secrets(SlotSecrets const& secrets) {
    Writer out;
    out.reserve(10 + (4 + sizeof(Key)) * secrets.masters.size());
    out.varint(secrets.masters.size());
    for (auto const& master : secrets.masters) {
        out.u32(master.epoch);
        out.raw(master.secret);
    }
    return out.take();
}

SlotSecrets decode_slot_secrets(ByteView bytes) {
    Reader in(bytes, "key slot");
    SlotSecrets secrets;
    auto const count = in.count(limits::masters_per_slot, "number of master secrets");
    for (std::size_t i = 0; i < count; ++i) {
        MasterSecret master;
        master.epoch = in.u32();
        if (master.epoch != i + 1)
            in.fail("epoch " + std::to_string(master.epoch) + " out of order");
        ByteView const secret = in.raw(master.secret.size());
        std::copy(secret.begin(), secret.end(), master.secret.begin());
        secrets.masters.push_back(master);
    }
    if (secrets.masters.empty()) in.fail("holds no master secret");
    in.expect_end();
    return secrets;
}

Bytes encode_slot_info(SlotInfo const& info) {
    Writer out;
    out.text(info.label);
    out.text(info.host);
    out.signed_varint(info.created_ns);
    return out.take();
}

SlotInfo decode_slot_info(ByteView bytes) {
    Reader in(bytes, "key slot");
    SlotInfo info;
    info.label = in.text(limits::text_size, "label");
    info.host = in.text(limits::text_size, "host");
    info.created_ns = in.signed_varint();
    in.expect_end();
    return info;
}

}  // namespace coffre
