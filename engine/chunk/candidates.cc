#include "engine/chunk/candidates.h"

#include <algorithm>

// This file is compiled once for each instruction set, each time in a namespace of its own.
// Not for vectors whose length, to the compiler, is unknown: these cannot be members.
#define HWY_DISABLED_TARGETS (HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128 | HWY_RVV)
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/chunk/candidates.cc"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
// After it: clang-format off
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace coffre::HWY_NAMESPACE {

struct Found {
    CandidatePositions& positions;
    std::size_t count = 0;

    void add(std::size_t position) { positions[count++] = static_cast<std::uint16_t>(position); }
};

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128

// Plain loops over whole arrays, which the compiler may turn into vector code. Windows that begin
// at even and at odd positions are looked at apart: each is a row of 16-bit words.
constexpr std::size_t plain_block = 1024;
constexpr std::size_t row = plain_block / 2;
constexpr std::size_t group = 32;

using Word = std::uint16_t;
using Words = std::array<Word, row + 32>;

HWY_INLINE Word combine(Word newer, unsigned factor, Word older) {
    return static_cast<Word>(newer + factor * older);
}

HWY_INLINE Word word_at(std::byte const* bytes) {
    return static_cast<Word>(static_cast<unsigned>(bytes[0]) | static_cast<unsigned>(bytes[1])
                                                                   << 8U);
}

// All but the last level.
HWY_INLINE void hash_row(ChunkerKey const& key, std::byte const* bytes, Words& hashes) {
    Word const a1 = key.factors[0];
    Word const a2 = key.factors[1];
    Word const a3 = key.factors[2];
    Word const a4 = key.factors[3];
    Words second;
    for (std::size_t i = 0; i < row + 28; ++i) {
        std::byte const* const at = bytes + 2 * i;
        Word const older = combine(word_at(at + 2), a1, word_at(at));
        second[i] = combine(combine(word_at(at + 6), a1, word_at(at + 4)), a2, older);
    }
    for (std::size_t i = 0; i < row + 16; ++i) {
        Word const older = combine(second[i + 4], a3, second[i]);
        hashes[i] = combine(combine(second[i + 12], a3, second[i + 8]), a4, older);
    }
}

struct LastLevel {
    Word factor;
    Word offset;
    Word mask;

    HWY_INLINE bool is_candidate(Words const& hashes, std::size_t i) const {
        Word const hash = combine(hashes[i + 16], factor, hashes[i]);
        return (static_cast<Word>(hash + offset) & mask) == 0;
    }
    HWY_INLINE bool any(Words const& hashes, std::size_t start) const {
        Word any = 0;
        for (std::size_t i = start; i < start + group; ++i) {
            any |= static_cast<Word>(is_candidate(hashes, i) ? 0xffffU : 0U);
        }
        return any != 0;
    }
};

void find_in_block(ChunkerKey const& key, LastLevel const& level, std::byte const* bytes,
                   std::size_t first, Found& found) {
    Words even;
    Words odd;
    hash_row(key, bytes, even);
    hash_row(key, bytes + 1, odd);
    for (std::size_t start = 0; start < row; start += group) {
        if (!level.any(even, start) && !level.any(odd, start)) continue;
        for (std::size_t i = start; i < start + group; ++i) {
            if (level.is_candidate(even, i)) found.add(first + 2 * i);
            if (level.is_candidate(odd, i)) found.add(first + 2 * i + 1);
        }
    }
}

constexpr std::size_t unit = plain_block;  // of `count`

void find(ChunkerKey const& key, unsigned bits, std::byte const* bytes, std::size_t count,
          Found& found) {
    LastLevel const level{key.factors[4], key.offset, static_cast<Word>(0xffffU << (16U - bits))};
    for (std::size_t first = 0; first < count; first += plain_block) {
        find_in_block(key, level, bytes + first, first, found);
    }
}

#else

namespace hn = hwy::HWY_NAMESPACE;
using ByteTag = hn::ScalableTag<std::uint8_t>;
using WordTag = hn::ScalableTag<std::uint16_t>;
using Words = hn::Vec<WordTag>;

// A vector is cut into parts of 16 bytes, each of which runs along a stretch of its own: shifts
// within 16 bytes are all that the levels then need.
constexpr std::size_t part = 16;
constexpr std::size_t parts = hn::MaxLanes(ByteTag()) / part;
constexpr std::size_t steps_before = chunk_window / part;
constexpr std::size_t unit = part * parts;  // of `count`

template <class Tag>
HWY_INLINE hn::Vec<Tag> load_parts(Tag tag, std::uint8_t const* bytes, std::size_t stretch) {
    if constexpr (hn::MaxLanes(Tag()) == part) {
        return hn::LoadU(tag, bytes);
    } else {
        hn::Half<Tag> const half;
        std::size_t const upper = hn::MaxLanes(half) / part * stretch;
        return hn::Combine(tag, load_parts(half, bytes + upper, stretch),
                           load_parts(half, bytes, stretch));
    }
}

struct Factors {
    explicit Factors(ChunkerKey const& key)
        : a1(hn::Set(WordTag(), key.factors[0])),
          a2(hn::Set(WordTag(), key.factors[1])),
          a3(hn::Set(WordTag(), key.factors[2])),
          a4(hn::Set(WordTag(), key.factors[3])),
          a5(hn::Set(WordTag(), key.factors[4])),
          offset(hn::Set(WordTag(), key.offset)) {}

    Words a1, a2, a3, a4, a5, offset;
};

// The words that begin at even bytes, or at odd ones, and the levels of their hash, one step back.
class Row {
public:
    HWY_INLINE explicit Row(Words zero)
        : w_(zero), h1_(zero), h2_(zero), h3_(zero), h4_(zero), h4_before_(zero) {}

    // The hashes of the windows that end with the words of `next`.
    HWY_INLINE Words advance(Words next, Factors const& f) {
        WordTag const tag;
        Words const h1 =
            hn::Add(next, hn::Mul(f.a1, hn::CombineShiftRightBytes<14>(tag, next, w_)));
        Words const h2 = hn::Add(h1, hn::Mul(f.a2, hn::CombineShiftRightBytes<12>(tag, h1, h1_)));
        Words const h3 = hn::Add(h2, hn::Mul(f.a3, hn::CombineShiftRightBytes<8>(tag, h2, h2_)));
        Words const h4 = hn::Add(h3, hn::Mul(f.a4, h3_));
        Words const hash = hn::Add(hn::Add(h4, f.offset), hn::Mul(f.a5, h4_before_));
        w_ = next;
        h1_ = h1;
        h2_ = h2;
        h3_ = h3;
        h4_before_ = h4_;
        h4_ = h4;
        return hash;
    }

private:
    Words w_, h1_, h2_, h3_, h4_, h4_before_;
};

// Adds the positions of one step: each part's `at` is that of its first odd window.
HWY_NOINLINE void collect(Words even, Words odd, std::ptrdiff_t at, std::size_t stretch,
                          Found& found) {
    constexpr std::size_t words = part / 2;
    std::array<std::uint16_t, words * parts> evens;
    std::array<std::uint16_t, words * parts> odds;
    hn::StoreU(even, WordTag(), evens.data());
    hn::StoreU(odd, WordTag(), odds.data());
    auto const add = [&](std::size_t lane, std::ptrdiff_t after) {
        std::ptrdiff_t const local = at + static_cast<std::ptrdiff_t>(lane % words * 2) + after;
        // What lies outside belongs to a neighbour.
        if (local < 0 || local >= static_cast<std::ptrdiff_t>(stretch)) return;
        found.add(lane / words * stretch + static_cast<std::size_t>(local));
    };
    for (std::size_t lane = 0; lane < words * parts; ++lane) {
        if (odds[lane] == 0) add(lane, 0);
        if (evens[lane] == 0) add(lane, 1);
    }
}

void find(ChunkerKey const& key, unsigned bits, std::byte const* bytes, std::size_t count,
          Found& found) {
    WordTag const tag;
    std::size_t const stretch = count / parts;
    Factors const factors(key);
    Words const mask = hn::Set(tag, static_cast<std::uint16_t>(0xffffU << (16U - bits)));
    Words const zero = hn::Zero(tag);
    Words last = zero;
    Row even(zero);
    Row odd(zero);
    for (std::size_t step = 0; step < steps_before + stretch / part; ++step) {
        auto const* const from = reinterpret_cast<std::uint8_t const*>(bytes) + step * part;
        // Of the next block: several stretches at once are more than processors foresee.
        hwy::Prefetch(bytes + count + step * unit);
        Words const next = hn::BitCast(tag, load_parts(ByteTag(), from, stretch));
        Words const evens = hn::And(mask, even.advance(next, factors));
        Words const odds =
            hn::And(mask, odd.advance(hn::CombineShiftRightBytes<15>(tag, next, last), factors));
        last = next;
        bool const any = !hn::AllFalse(tag, hn::Eq(hn::Min(evens, odds), zero));
        if (HWY_LIKELY(!any) || step + 1 < steps_before) continue;
        auto const at = static_cast<std::ptrdiff_t>(step * part) -
                        static_cast<std::ptrdiff_t>(chunk_window) + 1;
        collect(evens, odds, at, stretch, found);
    }
    auto const begin = found.positions.begin();
    std::sort(begin, begin + static_cast<std::ptrdiff_t>(found.count));
}

#endif

// Of any count: what lacks to a multiple of the unit is made up for with zeros.
std::size_t find_padded(ChunkerKey const& key, unsigned bits, ByteView bytes, std::size_t count,
                        CandidatePositions& positions) {
    Found found{positions};
    if (count % unit == 0) {
        find(key, bits, bytes.data(), count, found);
        return found.count;
    }
    std::array<std::byte, candidate_block + chunk_window> padded{};
    std::copy_n(bytes.begin(), count + chunk_window, padded.begin());
    find(key, bits, padded.data(), (count + unit - 1) / unit * unit, found);
    while (found.count > 0 && positions[found.count - 1] >= count) --found.count;
    return found.count;
}

}  // namespace coffre::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace coffre {

namespace {

// Highway would choose as well, by its shared library. That takes milliseconds to load: it measures
// a clock.
std::vector<CandidateForm> forms_here() {
    std::vector<CandidateForm> forms;
    auto const add = [&](std::int64_t target, decltype(CandidateForm::find) find, bool can_run) {
        if (find != nullptr && can_run) forms.push_back({hwy::TargetName(target), find});
    };
#if HWY_ARCH_X86
    bool const ssse3 = __builtin_cpu_supports("ssse3") != 0;
    bool const sse4 = ssse3 && __builtin_cpu_supports("sse4.1") &&
                      __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul") &&
                      __builtin_cpu_supports("aes");
    bool const avx2 = sse4 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    bool const avx512 = avx2 && __builtin_cpu_supports("avx512f") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw");
    add(HWY_AVX3, HWY_CHOOSE_AVX3(find_padded), avx512);
    add(HWY_AVX2, HWY_CHOOSE_AVX2(find_padded), avx2);
    add(HWY_SSE4, HWY_CHOOSE_SSE4(find_padded), sse4);
    add(HWY_SSSE3, HWY_CHOOSE_SSSE3(find_padded), ssse3);
#endif
    add(HWY_STATIC_TARGET, HWY_CHOOSE_FALLBACK(find_padded), true);
    return forms;
}

}  // namespace

std::vector<CandidateForm> const& candidate_forms() {
    static std::vector<CandidateForm> const forms = forms_here();
    return forms;
}

}  // namespace coffre

#endif
