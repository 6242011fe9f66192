#include "engine/chunk/chunker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "tests/unit/naive_chunker.h"

namespace coffre {
namespace {

constexpr ChunkerSizes small_sizes{64, 256, 2048};
constexpr ChunkerSizes middle_sizes{1024, 4096, 32 * 1024};
constexpr ChunkerSizes default_sizes{};

SecretKey secret_of(unsigned value) {
    return SecretKey(Bytes(SecretKey::size, static_cast<std::byte>(value)));
}

// xorshift64: part of the promise below, so it is spelled out here.
class Xorshift {
public:
    explicit Xorshift(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ ^= state_ << 13U;
        state_ ^= state_ >> 7U;
        state_ ^= state_ << 17U;
        return state_;
    }

private:
    std::uint64_t state_;
};

Bytes random_data(std::size_t size, std::uint64_t seed) {
    Xorshift random(seed);
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random.next() >> 56U);
    return bytes;
}

Bytes periodic(std::size_t size, std::size_t period) {
    Bytes bytes = random_data(period, 5);
    bytes.reserve(size);
    while (bytes.size() < size) bytes.push_back(bytes[bytes.size() - period]);
    return bytes;
}

Bytes text_of_size(std::size_t size) {
    std::string text;
    Xorshift random(9);
    while (text.size() < size) {
        text +=
            "INSERT INTO visits VALUES (" + std::to_string(random.next() % 100'000) + ", 'ok');\n";
    }
    ByteView const view = as_bytes(text);
    return {view.begin(), view.begin() + static_cast<std::ptrdiff_t>(size)};
}

template <class AnyChunker>
std::vector<std::size_t> lengths(AnyChunker const& chunker, ByteView data) {
    std::vector<std::size_t> found;
    while (!data.empty()) {
        found.push_back(chunker.cut(data));
        data = data.subspan(found.back());
    }
    return found;
}

// Every form of the hot loop that this machine can run.
void expect_as_defined(ByteView data, ChunkerSizes const& sizes, unsigned secret = 1) {
    auto const expected = lengths(NaiveChunker(secret_of(secret), sizes), data);
    for (auto const& form : candidate_forms()) {
        EXPECT_EQ(lengths(Chunker(secret_of(secret), sizes, form), data), expected)
            << form.name << ", average " << sizes.average;
    }
}

// Where chunks end, counted from the end of the data.
std::set<std::size_t> ends_from_back(Chunker const& chunker, ByteView data) {
    std::set<std::size_t> ends;
    std::size_t rest = data.size();
    for (auto const length : lengths(chunker, data)) ends.insert(rest -= length);
    return ends;
}

TEST(Chunker, CutsRandomBytesAsDefined) {
    constexpr std::uint64_t seed = 0x9e3779b97f4a7c15U;
    SCOPED_TRACE("seed " + std::to_string(seed));
    Bytes const data = random_data(600'000, seed);
    for (auto const& sizes : {small_sizes, middle_sizes, default_sizes, ChunkerSizes{100, 512, 513},
                              ChunkerSizes{500, 16'384, 100'000}}) {
        expect_as_defined(data, sizes);
    }
}

TEST(Chunker, CutsAsDefinedUnderManyKeys) {
    Bytes const data = random_data(60'000, 77);
    for (unsigned secret = 0; secret < 40; ++secret) expect_as_defined(data, small_sizes, secret);
}

TEST(Chunker, CutsAsDefinedAtEveryAlignmentAndLength) {
    Bytes const data = random_data(5'000, 3);
    for (std::size_t skip = 0; skip < 70; ++skip) {
        expect_as_defined(ByteView(data).subspan(skip), small_sizes);
    }
    for (std::size_t size = 0; size < 300; ++size) {
        expect_as_defined(ByteView(data).first(size), small_sizes);
    }
}

TEST(Chunker, CutsPeriodicBytesAsDefined) {
    for (std::size_t const period : {1U, 2U, 3U, 16U, 63U, 64U, 65U, 1000U}) {
        expect_as_defined(periodic(40'000, period), small_sizes);
        expect_as_defined(periodic(200'000, period), middle_sizes);
    }
}

TEST(Chunker, CutsTextAsDefined) {
    Bytes const data = text_of_size(400'000);
    expect_as_defined(data, small_sizes);
    expect_as_defined(data, middle_sizes);
    expect_as_defined(data, default_sizes);
}

TEST(Chunker, CutsAProgramAsDefined) {
    std::ostringstream text;
    text << std::ifstream("/proc/self/exe", std::ios::binary).rdbuf();
    std::string const program = text.str().substr(0, 4'000'000);
    ASSERT_GT(program.size(), 1'000'000U);
    expect_as_defined(as_bytes(program), middle_sizes);
    expect_as_defined(as_bytes(program), default_sizes);
}

TEST(Chunker, NeverCutsWithinARunOfOneByte) {
    for (unsigned value = 0; value < 256; ++value) {
        Bytes const run(10'000, static_cast<std::byte>(value));
        Chunker const chunker(secret_of(value), small_sizes);
        EXPECT_EQ(lengths(chunker, run), (std::vector<std::size_t>{2048, 2048, 2048, 2048, 1808}));
    }
}

// A promise of format v1: these lengths never change.
TEST(Chunker, CutsStayWhereTheyAre) {
    Bytes const data = random_data(40'000, 42);
    auto found = lengths(Chunker(secret_of(1), small_sizes), data);
    found.resize(16);
    EXPECT_EQ(found, (std::vector<std::size_t>{366, 264, 300, 427, 478, 484, 271, 98, 279, 458, 312,
                                               326, 304, 314, 385, 406}));
}

TEST(Chunker, CutsOfTheDefaultSizesStayWhereTheyAre) {
    Bytes const data = random_data(1'000'000, 43);
    EXPECT_EQ(lengths(Chunker(secret_of(2), default_sizes), data),
              (std::vector<std::size_t>{67979, 66624, 79154, 82828, 69037, 82308, 72005, 68472,
                                        68150, 34635, 66996, 22305, 69147, 79716, 70644}));
}

TEST(Chunker, ChunksAreWithinTheSizes) {
    Bytes const data = random_data(1'000'000, 11);
    auto found = lengths(Chunker(secret_of(3), middle_sizes), data);
    found.pop_back();
    for (auto const length : found) {
        EXPECT_GE(length, middle_sizes.min);
        EXPECT_LE(length, middle_sizes.max);
    }
}

TEST(Chunker, ChunksOfRandomBytesAreAboutTheAverage) {
    Bytes const data = random_data(4'000'000, 12);
    std::size_t const average =
        data.size() / lengths(Chunker(secret_of(4), middle_sizes), data).size();
    EXPECT_GT(average, middle_sizes.average / 2);
    EXPECT_LT(average, middle_sizes.average * 2);
}

TEST(Chunker, ACutDependsOnItsChunkAlone) {
    Bytes const data = random_data(200'000, 13);
    Chunker const chunker(secret_of(5), small_sizes);
    ByteView rest(data);
    auto found = lengths(chunker, data);
    found.pop_back();  // ended by the end of the data
    for (auto const length : found) {
        Bytes other = random_data(length + small_sizes.max, length);
        std::copy_n(rest.begin(), length, other.begin());
        EXPECT_EQ(chunker.cut(other), length);
        rest = rest.subspan(length);
    }
}

TEST(Chunker, NeedsNoMoreThanTheLargestChunkAhead) {
    Bytes const data = random_data(100'000, 14);
    Chunker const chunker(secret_of(6), small_sizes);
    for (ByteView rest(data); rest.size() > small_sizes.max;) {
        std::size_t const length = chunker.cut(rest);
        EXPECT_EQ(chunker.cut(rest.first(small_sizes.max)), length);
        rest = rest.subspan(length);
    }
}

TEST(Chunker, AnInsertionMovesFewCuts) {
    Bytes const before = random_data(1'000'000, 15);
    Bytes after = before;
    after.insert(after.begin() + 500'000, std::byte{1});
    Chunker const chunker(secret_of(7), middle_sizes);
    auto const old_ends = ends_from_back(chunker, before);
    std::size_t kept = 0;
    for (auto const end : ends_from_back(chunker, after))
        kept += old_ends.count(end) + old_ends.count(end - 1);
    EXPECT_GE(kept + 6, old_ends.size());
}

TEST(Chunker, AnotherKeyCutsElsewhere) {
    Bytes const data = random_data(100'000, 16);
    EXPECT_NE(lengths(Chunker(secret_of(8), small_sizes), data),
              lengths(Chunker(secret_of(9), small_sizes), data));
}

TEST(Chunker, OfNothingCutsNothing) {
    EXPECT_EQ(Chunker(secret_of(1), small_sizes).cut({}), 0U);
}

TEST(ChunkerKey, CandidateBitsFollowTheAverage) {
    EXPECT_EQ(candidate_bits(256), 6U);
    EXPECT_EQ(candidate_bits(4096), 10U);
    EXPECT_EQ(candidate_bits(16 * 1024), 12U);
    EXPECT_EQ(candidate_bits(4 * 1024 * 1024), 12U);
}

// Computed by an independent implementation of docs/format.md.
TEST(ChunkerKey, StaysWhatItIs) {
    ChunkerKey const key = make_chunker_key(secret_of(1), default_sizes);
    EXPECT_EQ(key.factors, (std::array<std::uint16_t, 5>{19207, 26571, 57465, 46557, 36063}));
    EXPECT_EQ(key.offset, 57088);
    EXPECT_EQ(to_hex(std::as_bytes(std::span(key.strength))), "836bd8224e14dabc49908eb3e28e54f7");
}

TEST(ChunkerKey, FactorsAreOdd) {
    for (unsigned secret = 0; secret < 100; ++secret) {
        for (auto const factor : make_chunker_key(secret_of(secret), default_sizes).factors) {
            EXPECT_EQ(factor % 2, 1U);
        }
    }
}

}  // namespace
}  // namespace coffre
