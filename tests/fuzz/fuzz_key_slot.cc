#include "format/key_slot.h"
#include "tests/fuzz/fuzz.h"

// The input is read as a prefix, as the secrets, and as what is told of a slot.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    auto const decode_prefix = [](ByteView bytes) {
        Reader in(bytes, "key slot");
        SlotPrefix prefix = decode_slot_prefix(in);
        in.expect_end();
        return prefix;
    };
    check_canonical(data, size, decode_prefix, encode_slot_prefix);
    check_canonical(data, size, decode_slot_info, encode_slot_info);
    return check_canonical(data, size, decode_slot_secrets, encode_slot_secrets);
}
