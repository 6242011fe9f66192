#include "engine/restore/holes.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/restore/failure.h"
#include "format/limits.h"

namespace coffre {

namespace {

void write_zeros(std::string const& path, Fd const& fd, Hole const& hole) {
    Bytes const zeros(std::min<std::uint64_t>(limits::mib, hole.size));
    for (std::uint64_t done = 0; done < hole.size; done += zeros.size()) {
        auto const part =
            ByteView(zeros).first(std::min<std::uint64_t>(zeros.size(), hole.size - done));
        if (!pwrite_full(fd.get(), part, static_cast<off_t>(hole.offset + done))) {
            fail_to_store(path, "write");
        }
    }
}

}  // namespace

bool is_hole(Fd const& fd, Hole const& hole) {
    off_t const data = ::lseek(fd.get(), static_cast<off_t>(hole.offset), SEEK_DATA);
    return data < 0 ? errno == ENXIO : static_cast<std::uint64_t>(data) >= hole.offset + hole.size;
}

// A hole at the end is made by that: no block can be punched in part.
void set_size(std::string const& path, Fd const& fd, Node const& node) {
    bool const ends_in_hole =
        !node.holes.empty() && node.holes.back().offset + node.holes.back().size == node.size;
    std::uint64_t const end_of_data = ends_in_hole ? node.holes.back().offset : node.size;
    for (auto const size : {end_of_data, node.size}) {
        if (::ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
            fail_to_store(path, "set the size");
    }
}

void make_holes(std::string const& path, Fd const& fd, Node const& node) {
    for (auto const& hole : node.holes) {
        if (is_hole(fd, hole)) continue;
        int const punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
        bool const is_punched = ::fallocate(fd.get(), punch, static_cast<off_t>(hole.offset),
                                            static_cast<off_t>(hole.size)) == 0;
        bool const cannot_be = errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL;
        if (!is_punched && !cannot_be) fail_to_store(path, "make a hole");
        if (!is_punched) write_zeros(path, fd, hole);
    }
}

}  // namespace coffre
