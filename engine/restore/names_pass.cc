#include "engine/restore/names_pass.h"

#include <fcntl.h>

namespace coffre {

namespace {

bool is_device(Node const& node) {
    return node.kind == NodeKind::char_device || node.kind == NodeKind::block_device;
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
    if (auto const first = links_.first_of(node, path)) return name_file(path, node, *first);
    if (!node.is_file()) make(path, node);
}

void NamesPass::name_file(std::string const& path, Node const& node, std::string const& first) {
    auto const file = context_.target.look(first);
    if (!file || !may_be(*file, node) || failed_.contains(first)) {
        throw SourceError(path, "is another name of " + first + ", which is not restored");
    }
    auto const there = context_.target.look(path);
    bool const is_linked = there && there->st_ino == file->st_ino && there->st_dev == file->st_dev;
    if (node.is_file()) {
        ++(is_linked ? context_.result.files_unchanged : context_.result.files_restored);
    }
    if (is_linked) return;
    if (there) context_.clear_way(path, node);
    context_.target.make_hard_link(path, first, *file);
    context_.show(there ? "changed" : "new", path);
}

void NamesPass::make(std::string const& path, Node const& node) {
    auto const there = context_.target.look(path);
    if (there && context_.keeps(*there, node)) return;
    if (there) context_.clear_way(path, node);
    if (node.kind == NodeKind::symlink) {
        context_.target.make_link(path, node);
    } else {
        context_.target.make_special(path, node);
    }
    auto const parent = context_.target.parent_of(path);
    context_.metadata.apply_to_entry(path, parent.folder.get(), parent.name, node);
}

void NamesPass::leave(SelectionVisitor::Left const& left) {
    bool const is_start = left.path.empty() && context_.request.from.sub_path.empty();
    if (!left.was_entered || is_start) return;
    Fd const folder = context_.target.open_file(left.path, O_RDONLY | O_DIRECTORY);
    context_.metadata.apply(left.path, folder.get(), left.folder);
}

}  // namespace coffre
