#include "format/key_slot.h"
#include "tests/fuzz/fuzz.h"

// The input is read as a prefix, and as the secrets.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    auto const decode_prefix = [](ByteView bytes) {
        Reader in(bytes, "key slot");
        SlotPrefix prefix = decode_slot_prefix(in);
        in.expect_end();
        return prefix;
    };
    check_canonical(data, size, decode_prefix, encode_slot_prefix);
    return check_canonical(data, size, decode_slot_secrets, encode_slot_secrets);
}
