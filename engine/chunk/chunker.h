// Cuts a byte stream where its content says so, so that an insertion moves few cuts.
//
// Algorithm and constants: docs/format.md, section "Chunking".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/chunk/candidates.h"

namespace coffre {

// Immutable: threads may share it.
class Chunker {
public:
    Chunker(SecretKey const& secret, ChunkerSizes const& sizes,
            CandidateForm const& form = candidate_forms().front());

    // The length of the chunk that begins `data`. `data` must hold the rest of the stream or at
    // least sizes().max bytes. Same key and bytes give the same cuts on every machine.
    // Source: two thresholds around the average as in FastCDC (Xia et al., 2016).
    std::size_t cut(ByteView data) const;

    ChunkerSizes const& sizes() const { return sizes_; }

private:
    bool is_cut(ByteView data, std::size_t length) const;

    ChunkerKey key_;
    ChunkerSizes sizes_;
    unsigned bits_;
    CandidateForm form_;
};

}  // namespace coffre
