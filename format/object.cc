#include "format/object.h"

#include <algorithm>
#include <bit>

#include "format/limits.h"
#include "format/mutant.h"

namespace coffre {

void write_object_header(Writer& out, ObjectKind kind) {
    out.raw(as_bytes(object_magic));
    out.u8(format_version);
    out.u8(static_cast<std::uint8_t>(kind));
}

void read_object_header(Reader& in, ObjectKind expected) {
    if (to_text(in.raw(object_magic.size())) != object_magic)
        in.fail("not an object of a Coffre repository");
    auto const version = in.u8();
    if (version > format_version) {
        throw UnsupportedFormat("format version " + std::to_string(version) +
                                " is newer than this program's " + std::to_string(format_version) +
                                ": use a newer program");
    }
    if (version != format_version) in.fail("format version " + std::to_string(version));
    auto const kind = in.u8();
    if (kind != static_cast<std::uint8_t>(expected)) {
        in.fail("object kind is " + std::to_string(kind) + ", expected " +
                std::to_string(static_cast<unsigned>(expected)));
    }
}

Bytes authenticated_data(ObjectKind kind, RepositoryId const& repository, std::string_view name,
                         ByteView clear) {
    Writer out;
    write_object_header(out, kind);
    out.id(mutant("any-repository") ? RepositoryId{} : repository);
    out.text(mutant("any-name") ? "" : name);
    out.raw(clear);
    return out.take();
}

void write_texts(Writer& out, std::vector<std::string> const& texts) {
    out.varint(texts.size());
    for (auto const& text : texts) out.text(text);
}

std::vector<std::string> read_texts(Reader& in, std::string_view name) {
    std::vector<std::string> texts;
    for (auto n = in.count(limits::texts_per_list, name); n > 0; --n) {
        texts.push_back(in.text(limits::text_size, name));
    }
    return texts;
}

std::uint64_t padme(std::uint64_t size) {
    if (size < 2) return size;
    auto const exponent = static_cast<unsigned>(std::bit_width(size)) - 1;
    auto const kept = static_cast<unsigned>(std::bit_width(exponent));
    std::uint64_t const mask = (std::uint64_t{1} << (exponent - std::min(exponent, kept))) - 1;
    return (size + mask) & ~mask;
}

Bytes pad(ByteView content) {
    Writer out;
    out.u32(static_cast<std::uint32_t>(content.size()));
    out.raw(content);
    Bytes padded = out.take();
    padded.resize(padme(padded.size()));
    return padded;
}

ByteView unpad(ByteView padded, std::string_view what) {
    Reader in(padded, what);
    ByteView const content = in.raw(in.u32());
    if (padded.size() != padme(content.size() + 4)) in.fail("padded to a wrong length");
    ByteView const zeros = in.raw(in.remaining());
    if (std::any_of(zeros.begin(), zeros.end(), [](std::byte b) { return b != std::byte{0}; })) {
        in.fail("padding is not zero");
    }
    return content;
}

}  // namespace coffre
