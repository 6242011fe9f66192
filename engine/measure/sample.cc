#include "engine/measure/sample.h"

#include <fcntl.h>

#include <algorithm>

#include "engine/util/fd.h"

namespace coffre {

void read_piece(Piece const& piece, Bytes& bytes, Progress& progress) {
    progress.check_stop();
    Fd const file(::open(piece.path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    ssize_t const size =
        file ? pread_full(file.get(), bytes, static_cast<off_t>(piece.offset)) : -1;
    if (size < 0) progress.report_failure(piece.path, errno_text());
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    progress.bytes += bytes.size();
}

void cut(SamplePiece& piece, Chunker const& chunker) {
    piece.chunks.clear();
    for (ByteView rest = piece.bytes; !rest.empty();) {
        piece.chunks.push_back(rest.first(chunker.cut(rest)));
        rest = rest.subspan(piece.chunks.back().size());
    }
}

void identify(SamplePiece& piece, ChunkNamer const& namer) {
    piece.ids.clear();
    for (auto const chunk : piece.chunks) piece.ids.push_back(namer.name(PackKind::data, chunk));
}

void UniqueBlocks::add(SamplePiece const& piece) {
    for (std::size_t i = 0; i < piece.chunks.size(); ++i) {
        if (known_.insert(piece.ids[i]).second) builder_.add(piece.ids[i], piece.chunks[i]);
    }
}

std::vector<Block> UniqueBlocks::take() {
    builder_.flush();
    return std::move(blocks_);
}

}  // namespace coffre
