#include "engine/codec/zstd.h"
#include "format/wire.h"
#include "tests/fuzz/fuzz.h"

namespace {

constexpr std::uint64_t largest_plain = 1U << 20U;

void decompress(coffre::ByteView input) {
    coffre::Reader in(input, "input");
    std::size_t const plain_size = in.bounded(largest_plain, "plain size");
    coffre::ByteView const prefix = in.sized(largest_plain, "prefix");
    coffre::ByteView const frame = in.raw(in.remaining());
    coffre::Decompressor decompressor;
    coffre::Bytes const plain = decompressor.decompress(frame, plain_size, prefix);
    coffre::require(plain.size() == plain_size, "a frame gives the size that was asked for");
    coffre::require(decompressor.decompress(frame, plain_size, prefix) == plain,
                    "a frame always gives the same bytes");
}

}  // namespace

// The plain size (varint), the prefix (sized), then the frame.
int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    try {
        decompress(std::as_bytes(std::span(data, size)));
    } catch (coffre::FormatError const&) {
        return 0;
    }
    return 0;
}
