#include "engine/restore/contents_pass.h"

#include <fcntl.h>

#include "engine/restore/holes.h"
#include "engine/util/paths.h"
#include "engine/util/workers.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr unsigned waiting_workers = 4;  // for the disk, while others compute
// Smaller ones are made anew: what is there stays whole until all of the new one is there. Of
// larger ones only what differs is written.
constexpr std::uint64_t in_place_from = limits::mib;

bool looks_equal(struct stat const& there, Node const& node) {
    return static_cast<std::uint64_t>(there.st_size) == node.size &&
           there.st_mtim.tv_sec == node.mtime.seconds &&
           static_cast<std::uint32_t>(there.st_mtim.tv_nsec) == node.mtime.nanoseconds;
}

}  // namespace

ContentsPass::ContentsPass(RestoreContext& context)
    : context_(context),
      comparison_(context),
      writer_(context.target, context.metadata, context.request, context.progress),
      fetcher_(context.reader, writer_, worker_count(context.request.threads) + waiting_workers) {}

void ContentsPass::run() {
    SelectionVisitor visitor;
    visitor.enter = [&](std::string const& path, Node const& folder) {
        return enter(path, folder);
    };
    visitor.visit = [&](std::string const& path, Node const& node) {
        if (is_full()) return;
        note_name(node);
        context_.guarded(path, [&] { restore_file(path, node); });
    };
    visitor.leave = [&](SelectionVisitor::Left const& left) { leave(left); };
    visitor.damaged = [&](std::string const& path, std::string const& message) {
        context_.note_damage(path, message);
    };
    context_.selection.walk(visitor);
    fetcher_.finish();
    writer_.finish();
    context_.only_metadata_failed.merge(writer_.only_metadata_failed());
    context_.is_full = is_full();
    RestoreResult& result = context_.result;
    result.bytes_written = writer_.bytes_written();
    if (context_.request.dry_run) result.bytes_foreseen = foreseen_bytes_;
    auto const damaged = writer_.damaged();
    auto const failures = writer_.failures();
    // They were counted when they were planned.
    result.files_restored -= damaged.size() + failures.size();
    result.damaged.insert(result.damaged.end(), damaged.begin(), damaged.end());
    result.failures.insert(result.failures.end(), failures.begin(), failures.end());
}

bool ContentsPass::enter(std::string const& path, Node const& folder) {
    if (is_full()) return false;
    note_name(folder);
    if (!path.empty()) ++context_.result.directories;
    bool is_made = false;
    bool const is_there = context_.guarded(path, [&] {
        if (!path.empty()) is_made = make_folder(path, folder);
        if (path.empty()) use_start();
    });
    if (is_there) folders_.push_back({is_made, {}, {}});
    if (!is_there) context_.refused.insert(path);
    return is_there;
}

// The target itself stands for a folder of the snapshot, but not for its root.
void ContentsPass::use_start() {
    if (context_.request.dry_run || context_.request.from.sub_path.empty()) return;
    if (auto const there = context_.target.look("")) context_.target.allow_writing("", *there);
}

// False when it was there already. A dry run only says why it could not be.
bool ContentsPass::make_folder(std::string const& path, Node const& folder) {
    bool const dry_run = context_.request.dry_run;
    auto const there = look(path);
    if (there && S_ISDIR(there->st_mode)) {
        require_own_entry(path, *there);
        context_.require_not_in_use(path, *there);
        if (dry_run) return false;
        context_.target.allow_writing(path, *there);
        context_.target.note_file_system(path, there->st_dev);
        return false;
    }
    if (there) context_.clear_way(path, folder);
    if (dry_run) return false;
    context_.target.make_directory(path);
    return true;
}

// Nothing can be in a folder that this restore has made, or that a dry run has not.
std::optional<struct stat> ContentsPass::look(std::string const& path) {
    bool const has_nothing = context_.request.dry_run
                                 ? !context_.target.has_folder(folder_above(path))
                                 : is_above_made();
    return has_nothing ? std::nullopt : context_.target.look(path);
}

void ContentsPass::note_name(Node const& node) {
    if (context_.request.delete_extra && !folders_.empty())
        folders_.back().wanted.insert(node.name);
}

void ContentsPass::require_own_entry(std::string const& path, struct stat const& there) {
    if (!folders_.empty()) folders_.back().names.require_own(context_.target, path, there);
}

void ContentsPass::leave(SelectionVisitor::Left const& left) {
    // What lies beside the saved paths was never meant to be in the snapshot.
    bool const is_above = (left.folder.flags & node_flags::above) != 0;
    Folder const folder = left.was_entered ? std::move(folders_.back()) : Folder{};
    if (left.was_entered) folders_.pop_back();
    bool const deletes =
        context_.request.delete_extra && !is_above && !is_full() && folder.names.are_told_apart();
    if (deletes && context_.target.has_folder(left.path)) {
        context_.guarded(left.path, [&] { delete_extra_entries(context_, left, folder.wanted); });
    }
}

void ContentsPass::restore_file(std::string const& path, Node const& node) {
    if (!node.is_file()) {
        ++context_.result.others;
        if (context_.request.dry_run) foresee_entry(path, node);
        return;
    }
    ++context_.result.files;
    context_.result.bytes += node.size;
    std::optional<struct stat> there;
    if (!context_.guarded(path, [&] { there = own_entry_at(path, node); })) {
        context_.skipped.insert(path);  // so it is none of its hard links
        return;
    }
    if (there && context_.keeps(*there, node)) {
        context_.skipped.insert(path);
        ++context_.result.files_skipped;
        context_.progress.bytes += node.size;
        ++context_.progress.files;
        return;
    }
    if (auto const first = links_.first_of(node, path)) {  // gets its name in the next pass
        if (context_.request.dry_run) foresee_name(path, *first);
        context_.progress.bytes += node.size;
        ++context_.progress.files;
        return;
    }
    if (!there) return create_file(path, node);
    if (!S_ISREG(there->st_mode)) return replace_file(path, node);
    require_may_change(path, node, *there);
    if (is_taken(*there)) return replace_file(path, node);
    if (may_keep_contents(path, *there, node)) return keep_contents(path, node);
    if (there->st_nlink > 1) return update_linked_file(path, node, *there);
    update_file(path, node, *there);
}

// What is there already, and no other entry of the snapshot: a file, or what a file may take the
// place of. A folder is cleared away.
std::optional<struct stat> ContentsPass::own_entry_at(std::string const& path, Node const& node) {
    auto const there = look(path);
    if (there && S_ISDIR(there->st_mode)) {
        context_.clear_way(path, node);
        return std::nullopt;
    }
    if (there && S_ISREG(there->st_mode)) {
        require_own_entry(path, *there);
    } else if (there) {
        context_.require_may_clear(path, node, *there);
    }
    return there;
}

// A key that is in use and was changed since is all that opens the repository.
void ContentsPass::require_may_change(std::string const& path, Node const& node,
                                      struct stat const& there) {
    if (context_.is_in_use(there) && !comparison_.has_contents_of(path, node, there))
        context_.require_not_in_use(path, there);
}

// True for a file that another one of the snapshot was met as: in the target they are one file, and
// what is written to one later would change both.
bool ContentsPass::is_taken(struct stat const& there) {
    return there.st_nlink > 1 && !met_.insert({there.st_dev, there.st_ino}).second;
}

bool ContentsPass::may_keep_contents(std::string const& path, struct stat const& there,
                                     Node const& node) {
    bool const may_keep =
        context_.request.overwrite == Overwrite::if_changed && looks_equal(there, node);
    if (!may_keep || there.st_nlink == 1) return may_keep;
    // What is changed in it changes under its other names, too.
    if (!context_.metadata.fits(there, node)) return false;
    // A dry run changes no mode, not even for a moment.
    Fd const fd = context_.request.dry_run ? context_.target.open_file(path, O_RDONLY)
                                           : context_.target.open_own(path);
    return context_.metadata.attributes_fit(path, fd.get(), node);
}

void ContentsPass::keep_contents(std::string const& path, Node const& node) {
    ++context_.result.files_unchanged;
    context_.progress.bytes += node.size;
    ++context_.progress.files;
    if (context_.request.dry_run) return;
    Fd const fd = context_.target.open_own(path);
    try {
        context_.metadata.apply(path, fd.get(), node, Contents::kept);
    } catch (SourceError const&) {
        context_.only_metadata_failed.insert(path);
        throw;
    }
}

std::shared_ptr<RestoredFile> ContentsPass::begin_file(std::string const& path, Node const& node) {
    auto file = std::make_shared<RestoredFile>();
    file->path = path;
    file->node = node;
    file->node.content = {};
    return file;
}

void ContentsPass::count_restored(char const* action, std::string const& path) {
    ++context_.result.files_restored;
    context_.show(action, path);
}

// What the next pass would do.
void ContentsPass::foresee_name(std::string const& path, std::string const& first) {
    auto const there = look(path);
    auto const file = look(first);
    bool const is_linked =
        there && file && identity_of(*there) == identity_of(*file) && !made_anew_.contains(first);
    if (!is_linked) return count_restored(there ? "changed" : "new", path);
    ++context_.result.files_unchanged;
}

// The same of links and special nodes.
void ContentsPass::foresee_entry(std::string const& path, Node const& node) {
    context_.guarded(path, [&] {
        auto const there = look(path);
        bool const is_made = there && context_.is_there(path, *there, node);
        if (is_made || (there && context_.keeps(*there, node))) return;
        if (is_device(node) && !context_.request.privileged)
            return context_.metadata.count_device();
        if (!there) return context_.show("new", path);
        bool const is_same_kind = (there->st_mode & S_IFMT) == Target::type_of(node.kind);
        if (!is_same_kind) context_.require_may_clear(path, node, *there);
        if (S_ISDIR(there->st_mode)) context_.remove_and_tell(path);
        context_.show("changed", path);
    });
}

void ContentsPass::create_file(std::string const& path, Node const& node) {
    count_restored("new", path);
    plan_all_chunks(node, begin_file(path, node));
}

// What is there stays until the new one is complete: it may be all that is left, or be in use.
void ContentsPass::replace_file(std::string const& path, Node const& node) {
    context_.require_removable(path);
    if (context_.request.dry_run && node.links > 1) made_anew_.insert(path);
    auto const file = begin_file(path, node);
    file->temporary = Target::temporary_beside(path);
    if (context_.request.delete_extra && !folders_.empty()) {
        folders_.back().wanted.insert(last_component(*file->temporary));
    }
    count_restored("changed", path);
    plan_all_chunks(node, file);
}

void ContentsPass::plan_all_chunks(Node const& node, std::shared_ptr<RestoredFile> const& file) {
    if (context_.request.dry_run) {
        foreseen_bytes_ += node.size;
        for (auto const& hole : node.holes) foreseen_bytes_ -= hole.size;
        return;
    }
    plan_chunks(node, file, [](std::uint64_t, ListEntry const&) { return false; });
}

// Otherwise it is made readable first, when it is no dry run.
bool ContentsPass::can_be_read(std::string const& path) {
    try {
        context_.target.open_file(path, O_RDONLY);
        return true;
    } catch (SourceError const&) {
        return false;
    }
}

// A library that programs have mapped can be written to, and then they crash; this one, too.
bool ContentsPass::may_run(std::string const& path) {
    constexpr std::string_view elf =
        "\x7f"
        "ELF";
    try {
        Fd const fd = context_.target.open_file(path, O_RDONLY);
        Bytes head(elf.size());
        return read_full(fd.get(), head) == static_cast<ssize_t>(head.size()) &&
               to_text(head) == elf;
    } catch (SourceError const&) {
        return false;  // made readable, then
    }
}

// A file of several names: what is changed in it changes under the others too, which may lie
// outside of what is restored. It is left as it is, or made anew.
void ContentsPass::update_linked_file(std::string const& path, Node const& node,
                                      struct stat const& there) {
    if (comparison_.is_like(path, node, there)) return keep_contents(path, node);
    replace_file(path, node);
}

void ContentsPass::update_file(std::string const& path, Node const& node,
                               struct stat const& there) {
    if (comparison_.has_contents_of(path, node, there)) return keep_contents(path, node);
    bool const dry_run = context_.request.dry_run;
    auto const larger = std::max(node.size, static_cast<std::uint64_t>(there.st_size));
    bool const is_replaced = (larger < in_place_from || may_run(path)) &&
                             context_.target.can_be_replaced(path, there, node.size);
    bool const is_foreseen = dry_run && (context_.target.is_busy(path) || !can_be_read(path));
    if (is_replaced || is_foreseen) return replace_file(path, node);
    auto const opened = dry_run ? std::optional(context_.target.open_file(path, O_RDONLY))
                                : context_.target.open_to_change(path, there);
    if (!opened) return replace_file(path, node);
    Fd const& fd = *opened;
    auto const file = begin_file(path, node);
    file->identity = identity_of(fd, path);
    file->is_new = false;
    if (!dry_run) {
        set_size(path, fd, node);
        make_holes(path, fd, node);
    }
    plan_chunks(node, file, [&](std::uint64_t offset, ListEntry const& entry) {
        bool const is_there = comparison_.has_chunk(fd, node, offset, entry);
        if (is_there) context_.progress.bytes += entry.weight;
        if (!is_there) foreseen_bytes_ += entry.weight;
        return is_there;
    });
    count_restored("changed", path);
}

template <class IsThere>
void ContentsPass::plan_chunks(Node const& node, std::shared_ptr<RestoredFile> const& file,
                               IsThere const& is_there) {
    bool const dry_run = context_.request.dry_run;
    try {
        std::uint64_t offset = 0;
        ContentCursor chunks(context_.reader, node.content);
        while (auto const entry = file->failed ? std::nullopt : chunks.next()) {
            context_.progress.check_stop();
            require_chunk_size(*entry);
            if (!is_there(offset, *entry) && !dry_run) {
                fetcher_.plan({file, offset, entry->id, static_cast<std::uint32_t>(entry->weight)});
            }
            offset += entry->weight;
        }
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        writer_.mark_damaged(*file, error.what());
    }
    if (!dry_run) writer_.release(*file);
}

}  // namespace coffre
