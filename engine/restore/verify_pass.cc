#include "engine/restore/verify_pass.h"

#include <fcntl.h>
#include <unistd.h>

#include "engine/crypto/hash.h"
#include "engine/restore/extents.h"
#include "format/limits.h"

namespace coffre {

namespace {

// Reads a restored file, and knows where its holes are.
class Reading {
public:
    Reading(std::string const& path, Fd fd, Bytes& buffer)
        : path_(path), fd_(std::move(fd)), buffer_(buffer) {
        // It is on the disk, and read from there.
        ::posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_DONTNEED);
    }

    std::uint64_t size() const {
        return static_cast<std::uint64_t>(::lseek(fd_.get(), 0, SEEK_END));
    }

    template <class Use>
    void each_part(std::uint64_t from, std::uint64_t to, Use const& use) {
        while (from < to) {
            auto const part =
                std::span(buffer_).first(std::min<std::uint64_t>(buffer_.size(), to - from));
            ssize_t const got = pread_full(fd_.get(), part, static_cast<off_t>(from));
            if (got < 0) throw SourceError(path_, "cannot be read back: " + errno_text());
            if (got == 0) return;
            use(ByteView(part).first(static_cast<std::size_t>(got)));
            from += static_cast<std::uint64_t>(got);
        }
    }

    bool reads_as_zeros(std::uint64_t from, std::uint64_t to) {
        bool all_zero = true;
        while (from < to && all_zero) {
            off_t const data = ::lseek(fd_.get(), static_cast<off_t>(from), SEEK_DATA);
            if (data < 0 && errno == ENXIO) return true;
            from = std::max(from, static_cast<std::uint64_t>(std::max<off_t>(data, 0)));
            std::uint64_t const end = std::min(to, end_of_data(from, to));
            each_part(from, end, [&](ByteView part) { all_zero = all_zero && is_zero(part); });
            from = std::max(from, end);
        }
        return all_zero;
    }

private:
    std::uint64_t end_of_data(std::uint64_t from, std::uint64_t otherwise) {
        off_t const hole = ::lseek(fd_.get(), static_cast<off_t>(from), SEEK_HOLE);
        return hole < 0 ? otherwise : static_cast<std::uint64_t>(hole);
    }

    std::string const& path_;
    Fd fd_;
    Bytes& buffer_;
};

}  // namespace

VerifyPass::VerifyPass(RestoreContext& context) : context_(context), buffer_(limits::mib) {
    known_ = context.skipped;
    for (auto const& failure : context.result.damaged) known_.insert(failure.path);
    for (auto const& failure : context.result.failures) known_.insert(failure.path);
    for (auto const& path : context.only_metadata_failed) known_.erase(path);
}

void VerifyPass::run() {
    if (!context_.request.verify || context_.request.dry_run) return;
    SelectionVisitor visitor;
    visitor.enter = [&](std::string const& path, Node const&) {
        return context_.enter_again(path);
    };
    visitor.visit = [&](std::string const& path, Node const& node) {
        if (!node.is_file() || known_.contains(path)) return;
        context_.guarded(path, [&] { verify(path, node); });
    };
    visitor.leave = [](SelectionVisitor::Left const&) {};
    visitor.damaged = [](std::string const&, std::string const&) {};
    context_.selection.walk(visitor);
}

void VerifyPass::verify(std::string const& path, Node const& node) {
    Reading file(path, context_.target.open_own(path), buffer_);
    FileHasher hasher;
    bool holes_are_zero = true;
    std::uint64_t at = 0;
    auto const hash = [&](ByteView part) { hasher.update(part); };
    for (auto const& hole : node.holes) {
        file.each_part(at, hole.offset, hash);
        at = hole.offset + hole.size;
        holes_are_zero = holes_are_zero && file.reads_as_zeros(hole.offset, at);
    }
    file.each_part(at, node.size, hash);
    bool const is_it = holes_are_zero && file.size() == node.size && hasher.hash() == node.hash;
    if (!is_it) return context_.note_failure(path, "reads back with other contents");
    ++context_.result.files_verified;
}

}  // namespace coffre
