#include "format/content.h"

#include "format/limits.h"
#include "tests/unit/canonical.h"
#include "tests/unit/format_samples.h"

namespace coffre {
namespace {

Bytes encode(Content const& content) {
    Writer out;
    write_content(out, content);
    return out.take();
}

Content decode(ByteView bytes) {
    Reader in(bytes, "content");
    Content content = read_content(in);
    in.expect_end();
    return content;
}

std::vector<ListEntry> entries(std::size_t count) {
    return std::vector<ListEntry>(count, {samples::id<ChunkId>(1), 10});
}

constexpr std::uint64_t ending = (std::uint64_t{1} << 56U) - 1;
constexpr std::uint64_t going_on = std::uint64_t{1} << 56U;

TEST(Content, RoundTripsEmptyInlineAndDeep) {
    for (auto const& content : {Content{}, Content{0, samples::list_entries()},
                                Content{limits::recipe_levels, samples::list_entries()}}) {
        EXPECT_EQ(decode(encode(content)), content);
    }
}

TEST(Content, EveryPrefixAndBitFlipIsRefusedOrCanonical) {
    expect_canonical(encode({3, samples::list_entries()}), decode, encode);
    expect_canonical(encode({}), decode, encode);
}

TEST(Content, WeighsWhatItsEntriesWeigh) {
    EXPECT_EQ(Content{}.weight(), 0U);
    EXPECT_EQ((Content{0, samples::list_entries()}.weight()), 565'537U);
}

TEST(Content, RefusesMoreEntriesThanStandInline) {
    EXPECT_NO_THROW(decode(encode({0, entries(limits::inline_entries)})));
    EXPECT_THROW(decode(encode({0, entries(limits::inline_entries + 1)})), FormatError);
}

TEST(Content, RefusesLevelsAboveTheLimit) {
    EXPECT_THROW(decode(encode({limits::recipe_levels + 1, entries(1)})), FormatError);
}

TEST(Content, RefusesRecipesOfNothing) {
    EXPECT_THROW(decode(encode({1, {}})), FormatError);
}

TEST(Content, RefusesSizesThatAddUpBeyond64Bits) {
    auto list = entries(2);
    list[0].weight = UINT64_MAX - 10;
    EXPECT_NO_THROW(decode(encode({0, list})));
    list[0].weight += 1;
    EXPECT_THROW(decode(encode({0, list})), FormatError);
}

TEST(Recipe, RoundTripsAndRefusesEveryOtherSpelling) {
    auto const decode_level_two = [](ByteView bytes) { return decode_recipe(bytes, 2); };
    auto const encode_level_two = [](auto const& list) { return encode_recipe(2, list); };
    expect_canonical(encode_recipe(2, samples::list_entries()), decode_level_two, encode_level_two);
}

TEST(Recipe, BytesStayWhatTheyAre) {
    EXPECT_EQ(to_hex(encode_recipe(1, {{samples::id<ChunkId>(0), 300}})),
              "5201"
              "01"
              "ac02"
              "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
}

TEST(Recipe, OfAnotherLevelIsRefusedNamingBoth) {
    Bytes const bytes = encode_recipe(2, samples::list_entries());
    EXPECT_EQ(format_error([&] { decode_recipe(bytes, 1); }), "recipe: level is 2, expected 1");
}

TEST(Recipe, HoldsOneToTheLimitOfEntries) {
    EXPECT_THROW(decode_recipe(encode_recipe(0, {}), 0), FormatError);
    EXPECT_NO_THROW(decode_recipe(encode_recipe(0, entries(1)), 0));
    EXPECT_NO_THROW(decode_recipe(encode_recipe(0, entries(limits::list_max_entries)), 0));
    EXPECT_THROW(decode_recipe(encode_recipe(0, entries(limits::list_max_entries + 1)), 0),
                 FormatError);
}

TEST(ListCut, WaitsForTheLeastAndForcesAtTheMost) {
    EXPECT_FALSE(ends_list(limits::list_min_entries - 1, 0));
    EXPECT_TRUE(ends_list(limits::list_min_entries, 0));
    EXPECT_FALSE(ends_list(limits::list_max_entries - 1, UINT64_MAX));
    EXPECT_TRUE(ends_list(limits::list_max_entries, UINT64_MAX));
}

TEST(ListCut, TakesOneEntryIn256) {
    EXPECT_TRUE(ends_list(100, ending));
    EXPECT_FALSE(ends_list(100, going_on));
}

TEST(Content, KeepsEachField) {
    expect_keeps_each(Content{1, samples::list_entries()},
                      {[](Content& c) { c.level = 2; }, [](Content& c) { c.entries.pop_back(); },
                       [](Content& c) { c.entries[1].id = samples::id<ChunkId>(1); },
                       [](Content& c) { c.entries[1].weight = UINT32_MAX; }},
                      decode, encode);
}

TEST(Content, RefusesEntriesOfNothing) {
    auto list = entries(2);
    list[1].weight = 0;
    EXPECT_EQ(format_error([&] { decode(encode({0, list})); }), "content: an entry of nothing");
}

}  // namespace
}  // namespace coffre
