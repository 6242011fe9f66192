#include "engine/chunk/chunker.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/naive_chunker.h"

namespace {

constexpr coffre::ChunkerSizes sizes{64, 256, 2048};

coffre::SecretKey secret_of(std::uint8_t value) {
    return coffre::SecretKey(coffre::Bytes(coffre::SecretKey::size, std::byte{value}));
}

}  // namespace

// One byte chooses among four keys; the rest is cut by the chunker and by its definition.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    using namespace coffre;
    static Chunker const chunkers[] = {
        {secret_of(0), sizes}, {secret_of(1), sizes}, {secret_of(2), sizes}, {secret_of(3), sizes}};
    static NaiveChunker const references[] = {
        {secret_of(0), sizes}, {secret_of(1), sizes}, {secret_of(2), sizes}, {secret_of(3), sizes}};
    if (size == 0) return 0;
    std::size_t const key = data[0] % 4U;
    for (auto rest = std::as_bytes(std::span(data + 1, size - 1)); !rest.empty();) {
        std::size_t const length = chunkers[key].cut(rest);
        require(length == references[key].cut(rest), "a cut is where its definition puts it");
        rest = rest.subspan(length);
    }
    return 0;
}
