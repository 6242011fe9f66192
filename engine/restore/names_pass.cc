#include "engine/restore/names_pass.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/restore/extents.h"
#include "engine/restore/failure.h"
#include "format/limits.h"

namespace coffre {

namespace {

// Calls `use` with a buffer for each part of the file that lies in no hole, and its offset.
template <class Use>
void each_part(Node const& node, Use const& use) {
    std::uint64_t content = node.size;
    for (auto const& hole : node.holes) content -= hole.size;
    Bytes buffer(limits::mib);
    each_extent(node.holes, 0, content, [&](std::uint64_t at, std::uint64_t, std::uint64_t size) {
        for (std::uint64_t const end = at + size; at < end;) {
            auto const part =
                std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), end - at));
            use(part, at);
            at += part.size();
        }
    });
}

// False with errno when it cannot be read, or ends before.
bool read_part(Fd const& file, std::span<std::byte> part, std::uint64_t at) {
    errno = EIO;
    return pread_full(file.get(), part, static_cast<off_t>(at)) ==
           static_cast<ssize_t>(part.size());
}

// What was restored under the first name has the kind and size of the others.
bool may_be(struct stat const& there, Node const& node) {
    if (node.is_file()) {
        return S_ISREG(there.st_mode) && static_cast<std::uint64_t>(there.st_size) == node.size;
    }
    return (there.st_mode & S_IFMT) == Target::type_of(node.kind) &&
           (!is_device(node) || there.st_rdev == node.device_number);
}

}  // namespace

NamesPass::NamesPass(RestoreContext& context) : context_(context) {
    for (auto const& failure : context.result.damaged) failed_.insert(failure.path);
    for (auto const& failure : context.result.failures) failed_.insert(failure.path);
    for (auto const& path : context.only_metadata_failed) failed_.erase(path);
}

void NamesPass::run() {
    if (context_.request.dry_run) return;
    SelectionVisitor visitor;
    // The first pass has said why a folder is not there, or not what it should be.
    visitor.enter = [&](std::string const& path, Node const&) {
        return !context_.is_full && context_.enter_again(path);
    };
    visitor.visit = [&](std::string const& path, Node const& node) {
        context_.guarded(path, [&] { visit(path, node); });
    };
    visitor.leave = [&](SelectionVisitor::Left const& left) {
        context_.guarded(left.path, [&] { leave(left); });
    };
    visitor.damaged = [](std::string const&, std::string const&) {};  // by the first pass, too
    context_.selection.walk(visitor);
}

void NamesPass::visit(std::string const& path, Node const& node) {
    if (context_.skipped.contains(path) || context_.is_full) return;
    auto const there = node.is_file() ? std::nullopt : context_.target.look(path);
    if (is_device(node) && !context_.request.privileged) {
        bool const is_made = there && context_.is_there(path, *there, node);
        return is_made ? void() : context_.metadata.count_device();
    }
    // One that stays as it is may be something else, and is no other's first name.
    if (there && context_.keeps(*there, node)) return;
    if (auto const first = links_.first_of(node, path)) return name_file(path, node, *first);
    if (!node.is_file()) make(path, node, there);
}

void NamesPass::name_file(std::string const& path, Node const& node, std::string const& first) {
    auto const file = context_.target.look(first);
    if (!file || !may_be(*file, node) || failed_.contains(first)) {
        throw SourceError(path, "is another name of " + first + ", which is not restored");
    }
    auto const there = context_.target.look(path);
    bool const is_linked = there && identity_of(*there) == identity_of(*file);
    bool const is_equal_file =
        !is_linked && !can_be_linked_ && there && is_copy(path, *there, first, node);
    if (is_linked || is_equal_file) {
        if (node.is_file()) ++context_.result.files_unchanged;
        return;
    }
    place(path, node, there,
          [&](std::string const& at) { return name_or_copy(at, node, first, *file); });
    if (node.is_file()) ++context_.result.files_restored;
}

// Where there are no hard links, or none across file systems, it is another file.
FileIdentity NamesPass::name_or_copy(std::string const& path, Node const& node,
                                     std::string const& first, struct stat const& known) {
    if (context_.target.make_hard_link(path, first, known)) return identity_of(known);
    can_be_linked_ = false;
    return node.is_file() ? copy_file(first, known, path, node) : make_entry(path, node);
}

FileIdentity NamesPass::copy_file(std::string const& from, struct stat const& known,
                                  std::string const& to, Node const& node) {
    Fd const source = context_.target.open_own(from);
    if (identity_of(source, from) != identity_of(known)) {
        throw SourceError(to, from + " was exchanged meanwhile");
    }
    Fd const copy = context_.target.create_file(to);
    auto const identity = identity_of(copy, to);
    try {
        each_part(node, [&](std::span<std::byte> part, std::uint64_t at) {
            context_.progress.check_stop();
            if (!read_part(source, part, at)) fail(from, "read it for a copy");
            if (!pwrite_full(copy.get(), part, static_cast<off_t>(at))) fail_to_store(to, "write");
            context_.result.bytes_written += part.size();
        });
        if (::ftruncate(copy.get(), static_cast<off_t>(node.size)) != 0)
            fail_to_store(to, "set the size");
        put_off_failure([&] { context_.metadata.apply(to, copy.get(), node); });
    } catch (...) {
        context_.target.remove_file(to, identity);
        throw;
    }
    return identity;
}

// Restored before as the copy that it has to be.
bool NamesPass::is_copy(std::string const& path, struct stat const& there, std::string const& first,
                        Node const& node) {
    bool const may_be = node.is_file() && S_ISREG(there.st_mode) &&
                        static_cast<std::uint64_t>(there.st_size) == node.size &&
                        context_.metadata.fits(there, node);
    if (!may_be) return false;
    Fd const a = context_.target.open_file(path, O_RDONLY);
    Fd const b = context_.target.open_file(first, O_RDONLY);
    bool is_equal = context_.metadata.attributes_fit(path, a.get(), node);
    Bytes other(limits::mib);
    each_part(node, [&](std::span<std::byte> part, std::uint64_t at) {
        if (!is_equal) return;
        context_.progress.check_stop();
        auto const same = std::span(other).first(part.size());
        is_equal = read_part(a, part, at) && read_part(b, same, at) &&
                   std::equal(part.begin(), part.end(), same.begin());
    });
    return is_equal;
}

void NamesPass::make(std::string const& path, Node const& node,
                     std::optional<struct stat> const& there) {
    if (there && context_.is_there(path, *there, node)) return apply_metadata(path, node);
    place(path, node, there, [&](std::string const& at) { return make_entry(at, node); });
}

FileIdentity NamesPass::make_entry(std::string const& path, Node const& node) {
    if (node.kind == NodeKind::symlink) {
        context_.target.make_link(path, node);
    } else {
        context_.target.make_special(path, node);
    }
    auto const made = context_.target.look(path);
    if (!made) throw SourceError(path, "was removed while it was restored");
    put_off_failure([&] { apply_metadata(path, node); });
    return identity_of(*made);
}

void NamesPass::apply_metadata(std::string const& path, Node const& node) {
    auto const parent = context_.target.parent_of(path);
    context_.metadata.apply_to_entry(path, parent.folder.get(), parent.name, node);
}

// What lacks some of its metadata is worth having all the same: that is told when it is in place.
void NamesPass::put_off_failure(std::function<void()> const& apply) {
    try {
        apply();
    } catch (SourceError const& error) {
        metadata_failure_ = error.what();
    }
}

// What is there is replaced at once, but for a folder: somebody may need it in between.
void NamesPass::place(std::string const& path, Node const& node,
                      std::optional<struct stat> const& there,
                      std::function<FileIdentity(std::string const&)> const& make) {
    metadata_failure_.reset();
    if (there && !S_ISDIR(there->st_mode)) {
        context_.require_may_clear(path, node, *there);
        std::string const temporary = Target::temporary_beside(path);
        context_.target.put_in_place(temporary, make(temporary), path);
    } else {
        if (there) context_.clear_way(path, node);
        make(path);
    }
    context_.show(there ? "changed" : "new", path);
    if (auto const failure = std::exchange(metadata_failure_, std::nullopt)) {
        throw SourceError(path, *failure);
    }
}

void NamesPass::leave(SelectionVisitor::Left const& left) {
    bool const is_start = left.path.empty() && context_.request.from.sub_path.empty();
    if (!left.was_entered || is_start) return;
    Fd const folder = context_.target.open_file(left.path, O_RDONLY | O_DIRECTORY);
    context_.metadata.apply(left.path, folder.get(), left.folder);
}

}  // namespace coffre
