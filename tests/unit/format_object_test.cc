#include "format/object.h"

#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

Bytes header(ObjectKind kind) {
    Writer out;
    write_object_header(out, kind);
    return out.take();
}

void read_header(ByteView bytes, ObjectKind expected) {
    Reader in(bytes, "object");
    read_object_header(in, expected);
    in.expect_end();
}

Bytes padded(std::size_t size) {
    return pad(samples::counting(size, 1));
}

TEST(ObjectHeader, IsMagicVersionKind) {
    EXPECT_EQ(to_hex(header(ObjectKind::config)), "636f666672650101");
    EXPECT_EQ(to_hex(header(ObjectKind::parity)), "636f666672650109");
    EXPECT_EQ(header(ObjectKind::pack).size(), object_header_size);
}

TEST(ObjectHeader, EveryPrefixAndBitFlipIsRefused) {
    auto const decode = [](ByteView bytes) {
        read_header(bytes, ObjectKind::bundle);
        return ObjectKind::bundle;
    };
    expect_canonical(header(ObjectKind::bundle), decode, header);
}

TEST(ObjectHeader, ANewerVersionIsUnsupportedNotDamaged) {
    Bytes newer = header(ObjectKind::pack);
    newer[6] = std::byte{2};
    EXPECT_THROW(read_header(newer, ObjectKind::pack), UnsupportedFormat);
    newer[6] = std::byte{0};
    EXPECT_EQ(format_error([&] { read_header(newer, ObjectKind::pack); }),
              "object: format version 0");
}

TEST(ObjectHeader, AnotherKindIsRefusedNamingBoth) {
    EXPECT_EQ(format_error([] { read_header(header(ObjectKind::pack), ObjectKind::bundle); }),
              "object: object kind is 3, expected 4");
}

TEST(AuthenticatedData, IsHeaderRepositoryNameAndClearBytes) {
    Bytes const data = authenticated_data(ObjectKind::session, samples::id<RepositoryId>(0), "ab",
                                          samples::counting(2, 0xf0));
    EXPECT_EQ(to_hex(data),
              "636f666672650105"
              "000102030405060708090a0b0c0d0e0f"
              "026162"
              "f0f1");
}

TEST(AuthenticatedData, DiffersWhenNameAndClearBytesShareABoundary) {
    RepositoryId const repository = samples::id<RepositoryId>(0);
    EXPECT_NE(authenticated_data(ObjectKind::pack, repository, "ab", as_bytes("c")),
              authenticated_data(ObjectKind::pack, repository, "a", as_bytes("bc")));
}

TEST(Texts, RoundTripAndRefuseEveryOtherSpelling) {
    Writer out;
    write_texts(out, {"one", "", "three"});
    auto const decode = [](ByteView bytes) {
        Reader in(bytes, "test");
        auto texts = read_texts(in, "texts");
        in.expect_end();
        return texts;
    };
    auto const encode = [](std::vector<std::string> const& texts) {
        Writer again;
        write_texts(again, texts);
        return again.take();
    };
    expect_canonical(out.take(), decode, encode);
}

TEST(Padding, LengthsArePadme) {
    std::pair<std::uint64_t, std::uint64_t> const expected[] = {{0, 0},
                                                                {1, 1},
                                                                {2, 2},
                                                                {7, 7},
                                                                {8, 8},
                                                                {9, 10},
                                                                {15, 16},
                                                                {17, 18},
                                                                {100, 104},
                                                                {1000, 1024},
                                                                {1025, 1088},
                                                                {1'000'000, 1'015'808},
                                                                {16 * 1024 * 1024 + 1, 17'301'504}};
    for (auto const& [size, length] : expected) EXPECT_EQ(padme(size), length) << size;
}

TEST(Padding, NeverShrinksNorAddsMoreThanAnEighth) {
    for (std::uint64_t size = 1; size < 100'000; size += size / 97 + 1) {
        EXPECT_GE(padme(size), size);
        EXPECT_LE(padme(size), size + size / 8 + 1);
        EXPECT_EQ(padme(padme(size)), padme(size));
    }
}

TEST(Padding, UnpadGivesTheContentBack) {
    for (std::size_t const size : {0U, 1U, 4U, 5U, 27U, 28U, 29U, 1000U, 70'000U}) {
        ByteView const content = unpad(padded(size), "test");
        EXPECT_EQ(content.size(), size);
    }
}

TEST(Padding, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    for (std::size_t const size : {0U, 1U, 5U, 30U, 95U, 96U}) {
        expect_canonical(
            padded(size), [](ByteView bytes) { return unpad(bytes, "test"); },
            [](ByteView content) { return pad(content); });
    }
}

TEST(Padding, MustBeZeroAndOfTheRightLength) {
    Bytes bytes = padded(97);  // 101 bytes, padded to 104
    bytes.back() = std::byte{1};
    EXPECT_EQ(format_error([&] { unpad(bytes, "test"); }), "test: padding is not zero");
    bytes.back() = std::byte{0};
    bytes.resize(112);
    EXPECT_EQ(format_error([&] { unpad(bytes, "test"); }), "test: padded to a wrong length");
}

}  // namespace
}  // namespace coffre
