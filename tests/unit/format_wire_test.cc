#include "format/wire.h"

#include <limits>
#include <tuple>

#include "tests/unit/canonical.h"

namespace coffre {
namespace {

template <class Write>
Bytes written(Write const& write) {
    Writer out;
    write(out);
    return out.take();
}

Bytes hex(std::string_view digits) {
    return from_hex(digits).value();
}

std::uint64_t varint_of(std::string_view digits) {
    Bytes const bytes = hex(digits);
    Reader in(bytes, "test");
    std::uint64_t const value = in.varint();
    in.expect_end();
    return value;
}

constexpr std::uint64_t max64 = std::numeric_limits<std::uint64_t>::max();

TEST(Wire, WritesFixedNumbersLittleEndian) {
    EXPECT_EQ(written([](Writer& out) { out.u16(0x0102); }), hex("0201"));
    EXPECT_EQ(written([](Writer& out) { out.u32(0x01020304); }), hex("04030201"));
    EXPECT_EQ(written([](Writer& out) { out.u64(0x0102030405060708); }), hex("0807060504030201"));
}

TEST(Wire, ReadsFixedNumbersLittleEndian) {
    Bytes const bytes = hex("ff0201040302010807060504030201");
    Reader in(bytes, "test");
    EXPECT_EQ(in.u8(), 0xff);
    EXPECT_EQ(in.u16(), 0x0102);
    EXPECT_EQ(in.u32(), 0x01020304U);
    EXPECT_EQ(in.u64(), 0x0102030405060708U);
    EXPECT_NO_THROW(in.expect_end());
}

TEST(Wire, VarintsAreLeb128) {
    EXPECT_EQ(written([](Writer& out) { out.varint(0); }), hex("00"));
    EXPECT_EQ(written([](Writer& out) { out.varint(127); }), hex("7f"));
    EXPECT_EQ(written([](Writer& out) { out.varint(128); }), hex("8001"));
    EXPECT_EQ(written([](Writer& out) { out.varint(max64); }), hex("ffffffffffffffffff01"));
}

TEST(Wire, VarintsRoundTripAtEveryPowerOfTwo) {
    for (unsigned shift = 0; shift < 64; ++shift) {
        for (std::uint64_t const value :
             {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1}) {
            Bytes const bytes = written([&](Writer& out) { out.varint(value); });
            EXPECT_EQ(varint_of(to_hex(bytes)), value);
        }
    }
}

TEST(Wire, VarintsHaveOneSpelling) {
    for (auto const* longer : {"8000", "ff00", "80808000", "ffffffffffffffff7f00"}) {
        EXPECT_THROW(varint_of(longer), FormatError) << longer;
    }
}

TEST(Wire, VarintsAbove64BitsAreRefused) {
    EXPECT_EQ(varint_of("ffffffffffffffffff01"), max64);
    for (auto const* larger : {"ffffffffffffffffff02", "ffffffffffffffffff7f",
                               "ffffffffffffffffff8101", "8080808080808080808001"}) {
        EXPECT_THROW(varint_of(larger), FormatError) << larger;
    }
}

TEST(Wire, SignedVarintsAreZigzag) {
    EXPECT_EQ(written([](Writer& out) { out.signed_varint(0); }), hex("00"));
    EXPECT_EQ(written([](Writer& out) { out.signed_varint(-1); }), hex("01"));
    EXPECT_EQ(written([](Writer& out) { out.signed_varint(1); }), hex("02"));
    EXPECT_EQ(written([](Writer& out) { out.signed_varint(-64); }), hex("7f"));
}

TEST(Wire, SignedVarintsReachBothEnds) {
    for (auto const value :
         {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
        Bytes const bytes = written([&](Writer& out) { out.signed_varint(value); });
        Reader in(bytes, "test");
        EXPECT_EQ(in.signed_varint(), value);
    }
}

TEST(Wire, EveryPrefixAndBitFlipOfAMixedRecordIsRefusedOrCanonical) {
    Writer out;
    out.varint(300);
    out.text("name");
    out.signed_varint(-70'000);
    auto const decode = [](ByteView bytes) {
        Reader in(bytes, "test");
        std::tuple value{in.varint(), in.text(100, "name"), in.signed_varint()};  // in this order
        in.expect_end();
        return value;
    };
    auto const encode = [](auto const& value) {
        return written([&](Writer& to) {
            to.varint(std::get<0>(value));
            to.text(std::get<1>(value));
            to.signed_varint(std::get<2>(value));
        });
    };
    expect_canonical(out.take(), decode, encode);
}

TEST(Wire, AMissingByteIsAnErrorThatNamesTheObject) {
    Bytes const bytes(3);
    EXPECT_EQ(format_error([&] { Reader(bytes, "pack 3f9a").u32(); }),
              "pack 3f9a: needs 4 more bytes, has 3");
}

TEST(Wire, LeftOverBytesAreAnError) {
    Bytes const bytes(3);
    Reader in(bytes, "test");
    in.u8();
    EXPECT_EQ(format_error([&] { in.expect_end(); }), "test: 2 bytes too many");
}

TEST(Wire, BoundedTakesTheLimitAndNoMore) {
    Bytes const bytes = hex("0a0b");
    Reader in(bytes, "test");
    EXPECT_EQ(in.bounded(10, "depth"), 10U);
    EXPECT_EQ(format_error([&] { in.bounded(10, "depth"); }),
              "test: depth is 11, above the limit of 10");
}

TEST(Wire, ACountIsNeverMoreThanTheBytesThatFollow) {
    Bytes const bytes = hex("030000");
    EXPECT_THROW(Reader(bytes, "test").count(1000, "chunks"), FormatError);
    Bytes const enough = hex("03000000");
    EXPECT_EQ(Reader(enough, "test").count(1000, "chunks"), 3U);
}

TEST(Wire, AHugeLengthIsRefusedBeforeMemoryIsReserved) {
    Bytes const bytes = hex("ffffffffffffffffff01");
    EXPECT_THROW(Reader(bytes, "test").sized(max64, "text"), FormatError);
    EXPECT_THROW(Reader(bytes, "test").text(100, "text"), FormatError);
}

TEST(Wire, TextsKeepAnyBytes) {
    std::string const text("\0\xff/\n", 4);
    Bytes const bytes = written([&](Writer& out) { out.text(text); });
    EXPECT_EQ(Reader(bytes, "test").text(4, "text"), text);
    EXPECT_THROW(Reader(bytes, "test").text(3, "text"), FormatError);
}

TEST(Id, SpellsItselfInLowerCaseHex) {
    PackId id;
    id.bytes[0] = std::byte{0xab};
    id.bytes[15] = std::byte{0x01};
    EXPECT_EQ(id.hex(), "ab000000000000000000000000000001");
    EXPECT_EQ(PackId::parse(id.hex()), id);
}

TEST(Id, ParsesOnlyItsOneSpelling) {
    std::string const good(32, 'a');
    EXPECT_TRUE(PackId::parse(good));
    for (auto const& bad : {std::string(), good.substr(1), good.substr(2), good + "a", good + "aa",
                            "A" + good.substr(1), "g" + good.substr(1), "0x" + good.substr(2),
                            " " + good.substr(1)}) {
        EXPECT_FALSE(PackId::parse(bad)) << bad;
    }
}

TEST(Id, HexRoundTripsEveryByte) {
    Bytes bytes;
    for (unsigned value = 0; value < 256; ++value) bytes.push_back(static_cast<std::byte>(value));
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
    EXPECT_EQ(from_hex(""), Bytes());
}

TEST(Id, PrefixIsTheFirstEightBytesLittleEndian) {
    Bytes const bytes = hex("0102030405060708090a0b0c0d0e0f10");
    EXPECT_EQ(PackId::from(bytes).prefix(), 0x0807060504030201U);
    EXPECT_TRUE(PackId{}.is_zero());
    EXPECT_FALSE(PackId::from(bytes).is_zero());
}

TEST(Id, ComparesAsUnsignedBytesFromTheFirst) {
    Bytes const lower = hex("0080ffffffffffffffffffffffffffff");
    Bytes const upper = hex("00810000000000000000000000000000");
    EXPECT_LT(PackId::from(lower), PackId::from(upper));
    EXPECT_GT(PackId::from(upper), PackId::from(lower));
    EXPECT_LT(PackId{}, PackId::from(lower));
}

TEST(Id, HashIsThePrefix) {
    Bytes const bytes = hex("0102030405060708090a0b0c0d0e0f10");
    EXPECT_EQ(IdHash{}(PackId::from(bytes)), PackId::from(bytes).prefix());
    EXPECT_NE(IdHash{}(PackId::from(bytes)), IdHash{}(PackId{}));
}

}  // namespace
}  // namespace coffre
