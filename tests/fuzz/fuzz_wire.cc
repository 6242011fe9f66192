#include <tuple>
#include <vector>

#include "format/wire.h"
#include "tests/fuzz/fuzz.h"

namespace {

using Record = std::tuple<std::uint64_t, std::int64_t, std::string, std::uint16_t>;

std::vector<Record> decode(coffre::ByteView bytes) {
    coffre::Reader in(bytes, "wire");
    std::vector<Record> records;
    while (in.remaining() > 0) {
        records.push_back(Record{in.varint(), in.signed_varint(), in.text(1000, "text"), in.u16()});
    }
    return records;
}

coffre::Bytes encode(std::vector<Record> const& records) {
    coffre::Writer out;
    for (auto const& [number, signed_number, text, fixed] : records) {
        out.varint(number);
        out.signed_varint(signed_number);
        out.text(text);
        out.u16(fixed);
    }
    return out.take();
}

}  // namespace

int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    return coffre::check_canonical(data, size, decode, encode);
}
