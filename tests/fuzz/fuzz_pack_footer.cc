#include "format/pack.h"
#include "tests/fuzz/fuzz.h"

// Eight bytes of the pack's size, then the footer.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    if (size < 8) return 0;
    std::uint64_t const pack_size = Reader(std::as_bytes(std::span(data, 8)), "size").u64();
    return check_canonical(
        data + 8, size - 8, [=](ByteView bytes) { return decode_pack_footer(bytes, pack_size); },
        encode_pack_footer);
}
