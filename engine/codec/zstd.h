// Compression of one block.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <memory>
#include <optional>

#include "format/bytes.h"

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace coffre {

// Holds zstd's working memory: one per thread.
class Compressor {
public:
    Compressor();

    // The zstd frame of `plain`, or nothing when it would not save at least 3 %.
    std::optional<Bytes> compress_if_it_pays(ByteView plain, int level);

private:
    struct Free {
        void operator()(ZSTD_CCtx_s* context) const;
    };
    std::unique_ptr<ZSTD_CCtx_s, Free> context_;
};

class Decompressor {
public:
    Decompressor();

    // Exactly `plain_size` bytes; `prefix` is the plaintext that a delta rests on, else empty.
    // Throws FormatError when the frame is anything else, before memory beyond that is used.
    Bytes decompress(ByteView frame, std::size_t plain_size, ByteView prefix);

private:
    struct Free {
        void operator()(ZSTD_DCtx_s* context) const;
    };
    std::unique_ptr<ZSTD_DCtx_s, Free> context_;
};

}  // namespace coffre
