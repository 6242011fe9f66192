#include "format/object.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    return check_canonical(
        data, size, [](ByteView bytes) { return unpad(bytes, "padded"); }, pad);
}
