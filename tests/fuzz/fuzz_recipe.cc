#include "format/content.h"
#include "tests/fuzz/fuzz.h"

// The level that the recipe should have is the one that its second byte claims.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    std::uint8_t const level = size < 2 ? 0 : data[1];
    return check_canonical(
        data, size, [=](ByteView bytes) { return decode_recipe(bytes, level); },
        [=](std::vector<ListEntry> const& entries) { return encode_recipe(level, entries); });
}
