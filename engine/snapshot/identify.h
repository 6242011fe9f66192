// Names every chunk of a batch: the keyed hash of its bytes. Pure, runs on any thread.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/crypto/hash.h"
#include "engine/snapshot/batch.h"

namespace coffre {

inline Batch identify(ChunkNamer const& namer, Batch batch) {
    for (auto& event : batch.events) {
        if (auto* const chunk = std::get_if<FileChunk>(&event)) {
            chunk->id = namer.name(PackKind::data, batch.bytes(*chunk));
        }
    }
    return batch;
}

}  // namespace coffre
