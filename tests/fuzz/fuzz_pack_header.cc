#include "format/pack.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    return check_canonical(data, size, decode_pack_header, encode_pack_header);
}
