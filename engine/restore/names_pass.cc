#include "engine/restore/names_pass.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "engine/restore/extents.h"
#include "engine/restore/failure.h"
#include "format/limits.h"

namespace coffre {

namespace {

// `from` is complete, `to` empty.
void copy_contents(Fd const& from, Fd const& to, Node const& node) {
    auto const fail_to_copy = [&](char const* doing) { fail_to_store(node.name, doing); };
    if (::ftruncate(to.get(), static_cast<off_t>(node.size)) != 0) fail_to_copy("set the size");
    std::uint64_t content = node.size;
    for (auto const& hole : node.holes) content -= hole.size;
    Bytes buffer(limits::mib);
    each_extent(node.holes, 0, content, [&](std::uint64_t at, std::uint64_t, std::uint64_t size) {
        for (std::uint64_t const end = at + size; at < end;) {
            auto const part =
                std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), end - at));
            bool const is_copied = pread_full(from.get(), part, static_cast<off_t>(at)) ==
                                       static_cast<ssize_t>(part.size()) &&
                                   pwrite_full(to.get(), part, static_cast<off_t>(at));
            if (!is_copied) fail_to_copy("copy");
            at += part.size();
        }
    });
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
    if (is_device(node) && !context_.request.privileged) return context_.metadata.count_device();
    auto const there = node.is_file() ? std::nullopt : context_.target.look(path);
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
    if (is_linked) {
        if (node.is_file()) ++context_.result.files_unchanged;
        return;
    }
    bool is_other_file = false;
    place(path, node, there, [&](std::string const& at) {
        is_other_file = !context_.target.make_hard_link(at, first, *file);
        if (is_other_file) node.is_file() ? copy_file(first, at, node) : make_entry(at, node);
    });
    if (is_other_file) apply_metadata(path, node);
    if (node.is_file()) ++context_.result.files_restored;
}

// Where there are no hard links, or none across file systems.
void NamesPass::copy_file(std::string const& from, std::string const& to, Node const& node) {
    Fd const source = context_.target.open_file(from, O_RDONLY);
    Fd const copy = context_.target.create_file(to);
    try {
        copy_contents(source, copy, node);
    } catch (SourceError const&) {
        context_.target.remove_file(to, identity_of(copy, to));
        throw;
    }
}

void NamesPass::make(std::string const& path, Node const& node,
                     std::optional<struct stat> const& there) {
    bool const is_there = there && context_.is_there(path, *there, node);
    if (!is_there) place(path, node, there, [&](std::string const& at) { make_entry(at, node); });
    apply_metadata(path, node);
}

void NamesPass::make_entry(std::string const& path, Node const& node) {
    if (node.kind == NodeKind::symlink) return context_.target.make_link(path, node);
    context_.target.make_special(path, node);
}

void NamesPass::apply_metadata(std::string const& path, Node const& node) {
    if (node.is_file()) {
        Fd const file = context_.target.open_file(path, O_RDONLY);
        return context_.metadata.apply(path, file.get(), node);
    }
    auto const parent = context_.target.parent_of(path);
    context_.metadata.apply_to_entry(path, parent.folder.get(), parent.name, node);
}

// What is there of the same kind is replaced at once: somebody may need it in between.
void NamesPass::place(std::string const& path, Node const& node,
                      std::optional<struct stat> const& there,
                      std::function<void(std::string const&)> const& make) {
    mode_t const kind = node.is_file() ? S_IFREG : Target::type_of(node.kind);
    bool const is_same_kind = there && (there->st_mode & S_IFMT) == kind;
    if (is_same_kind) {
        context_.require_removable(path);
        std::string const temporary = Target::temporary_for(path);
        context_.target.remove_leftover(temporary);
        make(temporary);
        context_.target.put_in_place(temporary, path);
    } else {
        if (there) context_.clear_way(path, node);
        make(path);
    }
    context_.show(there ? "changed" : "new", path);
}

void NamesPass::leave(SelectionVisitor::Left const& left) {
    bool const is_start = left.path.empty() && context_.request.from.sub_path.empty();
    if (!left.was_entered || is_start) return;
    Fd const folder = context_.target.open_file(left.path, O_RDONLY | O_DIRECTORY);
    context_.metadata.apply(left.path, folder.get(), left.folder);
}

}  // namespace coffre
