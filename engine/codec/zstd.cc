#include "engine/codec/zstd.h"

#include <zstd.h>

#include <new>

#include "format/error.h"

namespace coffre {

namespace {

constexpr std::size_t least = 64;

// What is left of a size that saved just enough.
std::size_t worthwhile(std::size_t size) {
    return size - size * 3 / 100 - 1;
}

}  // namespace

void Compressor::Free::operator()(ZSTD_CCtx* context) const {
    ::ZSTD_freeCCtx(context);
}
void Decompressor::Free::operator()(ZSTD_DCtx* context) const {
    ::ZSTD_freeDCtx(context);
}

Compressor::Compressor() : context_(::ZSTD_createCCtx()) {
    if (!context_) throw std::bad_alloc();
}

std::optional<Bytes> Compressor::compress_if_it_pays(ByteView plain, int level) {
    if (plain.size() < least) return std::nullopt;
    Bytes frame = Bytes::uncleared(worthwhile(plain.size()));
    std::size_t const size = ::ZSTD_compressCCtx(context_.get(), frame.data(), frame.size(),
                                                 plain.data(), plain.size(), level);
    if (::ZSTD_isError(size) != 0) return std::nullopt;  // too large
    frame.resize(size);
    return frame;
}

Decompressor::Decompressor() : context_(::ZSTD_createDCtx()) {
    if (!context_) throw std::bad_alloc();
}

Bytes Decompressor::decompress(ByteView frame, std::size_t plain_size, ByteView prefix) {
    if (::ZSTD_getFrameContentSize(frame.data(), frame.size()) != plain_size) {
        throw FormatError("compressed block does not announce its size");
    }
    if (::ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) {
        throw FormatError("compressed block is not one frame");
    }
    Bytes plain = Bytes::uncleared(plain_size);
    ::ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only);
    if (!prefix.empty()) ::ZSTD_DCtx_refPrefix(context_.get(), prefix.data(), prefix.size());
    std::size_t const size = ::ZSTD_decompressDCtx(context_.get(), plain.data(), plain.size(),
                                                   frame.data(), frame.size());
    if (::ZSTD_isError(size) != 0 || size != plain_size) {
        throw FormatError("compressed block cannot be decompressed");
    }
    return plain;
}

}  // namespace coffre
