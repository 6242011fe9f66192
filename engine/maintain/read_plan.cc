#include "engine/maintain/read_plan.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace coffre {

namespace {

struct Candidate {
    PackId id;
    std::uint64_t size = 0;
    std::optional<std::int64_t> verified_s;
};
using Candidates = std::vector<Candidate>;

// As a number, the first byte is the highest. `of` is small enough for the products.
std::uint64_t modulo(PackId const& id, std::uint64_t of) {
    std::uint64_t rest = 0;
    for (auto const byte : id.bytes) {
        rest = ((rest << 8U) + std::to_integer<std::uint64_t>(byte)) % of;
    }
    return rest;
}

void shuffle(Candidates& candidates) {
    std::mt19937_64 random(std::random_device{}());
    std::shuffle(candidates.begin(), candidates.end(), random);
}

void choose(Candidates&, AllPacks const&) {}

void choose(Candidates& candidates, PackSlice const& slice) {
    std::erase_if(candidates, [&](Candidate const& candidate) {
        return modulo(candidate.id, slice.of) != slice.number - 1;
    });
}

void choose(Candidates& candidates, PackShare const& share) {
    shuffle(candidates);
    double const wanted = std::ceil(static_cast<double>(candidates.size()) * share.percent / 100);
    candidates.resize(std::min(candidates.size(), static_cast<std::size_t>(wanted)));
}

void choose(Candidates& candidates, PackBytes const& limit) {
    shuffle(candidates);
    std::uint64_t left = limit.bytes;
    std::erase_if(candidates, [&](Candidate const& candidate) {
        if (candidate.size > left) return true;
        left -= candidate.size;
        return false;
    });
}

}  // namespace

std::vector<PackId> plan_reads(PackSizes const& packs, CheckMemory const& memory,
                               CheckRequest const& request, std::int64_t now_s) {
    Candidates candidates;
    for (auto const& [id, size] : packs) {
        auto const verified_s = memory.verified_s(id);
        if (verified_s && request.max_age_s && now_s - *verified_s <= *request.max_age_s) continue;
        candidates.push_back({id, size, verified_s});
    }
    std::visit([&](auto const& choice) { choose(candidates, choice); }, request.packs);
    // Nothing comes before any time.
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](auto const& a, auto const& b) { return a.verified_s < b.verified_s; });
    std::vector<PackId> ids;
    for (auto const& candidate : candidates) ids.push_back(candidate.id);
    return ids;
}

}  // namespace coffre
