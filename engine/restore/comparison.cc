#include "engine/restore/comparison.h"

#include <fcntl.h>

#include "engine/restore/extents.h"
#include "engine/restore/holes.h"
#include "format/limits.h"

namespace coffre {

void require_chunk_size(ListEntry const& entry) {
    if (entry.weight > limits::chunk_size)
        throw corrupt("chunk " + entry.id.hex() + ": is said to be too large");
}

bool Comparison::has_chunk(Fd const& fd, Node const& node, std::uint64_t offset,
                           ListEntry const& entry) {
    require_chunk_size(entry);
    buffer_.resize(entry.weight);
    bool is_whole = true;
    each_extent(node.holes, offset, entry.weight,
                [&](std::uint64_t at, std::uint64_t begin, std::uint64_t size) {
                    auto const part = std::span(buffer_).subspan(begin, size);
                    ssize_t const got = pread_full(fd.get(), part, static_cast<off_t>(at));
                    is_whole = is_whole && got == static_cast<ssize_t>(size);
                });
    return is_whole && context_.repository.namer().name(PackKind::data, buffer_) == entry.id;
}

bool Comparison::is_equal(Fd const& fd, Node const& node) {
    for (auto const& hole : node.holes) {
        if (!is_hole(fd, hole)) return false;
    }
    try {
        std::uint64_t offset = 0;
        ContentCursor chunks(context_.reader, node.content);
        while (auto const entry = chunks.next()) {
            context_.progress.check_stop();
            if (!has_chunk(fd, node, offset, *entry)) return false;
            offset += entry->weight;
        }
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        return false;  // told of when its chunks are planned
    }
    return true;
}

// Only read: a program that runs cannot be opened for writing, and what is equal keeps its rights.
bool Comparison::has_contents_of(std::string const& path, Node const& node,
                                 struct stat const& there) {
    if (static_cast<std::uint64_t>(there.st_size) != node.size) return false;
    try {
        return is_equal(context_.target.open_file(path, O_RDONLY), node);
    } catch (SourceError const&) {
        return false;  // made readable, then
    }
}

bool Comparison::is_like(std::string const& path, Node const& node, struct stat const& there) {
    bool const may_be = static_cast<std::uint64_t>(there.st_size) == node.size &&
                        context_.metadata.fits(there, node);
    if (!may_be) return false;
    try {
        Fd const fd = context_.target.open_file(path, O_RDONLY);
        return context_.metadata.attributes_fit(path, fd.get(), node) && is_equal(fd, node);
    } catch (SourceError const&) {
        return false;
    }
}

}  // namespace coffre
