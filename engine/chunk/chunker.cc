#include "engine/chunk/chunker.h"

#include <sodium.h>

#include <algorithm>

#include "engine/util/raw_bytes.h"
#include "format/wire.h"

namespace coffre {

Chunker::Chunker(SecretKey const& secret, ChunkerSizes const& sizes, CandidateForm const& form)
    : key_(make_chunker_key(secret, sizes)),
      sizes_(sizes),
      bits_(candidate_bits(sizes.average)),
      form_(form) {}

std::size_t Chunker::cut(ByteView data) const {
    std::size_t const end = std::min<std::size_t>(data.size(), sizes_.max);
    CandidatePositions positions;
    for (std::size_t length = sizes_.min; length < end; length += candidate_block) {
        std::size_t const count = std::min(candidate_block, end - length);
        ByteView const windows = data.subspan(length - chunk_window, count + chunk_window);
        std::size_t const found = form_.find(key_, bits_, windows, count, positions);
        for (std::size_t i = 0; i < found; ++i) {
            if (is_cut(data, length + positions[i])) return length + positions[i];
        }
    }
    return end;
}

bool Chunker::is_cut(ByteView data, std::size_t length) const {
    std::array<std::byte, crypto_shorthash_BYTES> hash;
    ::crypto_shorthash(raw(std::span<std::byte>(hash)),
                       raw(data.subspan(length - chunk_window, chunk_window)), chunk_window,
                       key_.strength.data());
    Reader in(hash, "strength");
    std::uint64_t const strength = in.u64() >> 32U;
    std::uint64_t const scale = std::uint64_t{1} << (32U + bits_);
    std::uint64_t const threshold =
        length <= sizes_.average ? scale / (4ULL * sizes_.average) : scale / sizes_.average * 4;
    return strength < threshold;
}

}  // namespace coffre
