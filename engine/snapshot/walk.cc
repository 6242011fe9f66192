#include "engine/snapshot/walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "engine/util/fd.h"
#include "engine/util/paths.h"
#include "engine/util/source_file.h"
#include "engine/util/unfinished.h"
#include "format/limits.h"

namespace coffre {

namespace {

// File systems of 255 characters, not bytes, have them.
constexpr char const* too_long_a_name = "its name is longer than 255 bytes";
constexpr off_t usual_read_ahead = off_t{128} << 10;  // what the kernel reads anyway

bool holds(int folder, FolderTag const& tag) {
    char const* const name = tag.name.c_str();
    if (tag.begins_with.empty()) return ::faccessat(folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    Fd const file(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    Bytes head(tag.begins_with.size());
    return file && read_full(file.get(), head) == static_cast<ssize_t>(head.size()) &&
           to_text(head) == tag.begins_with;
}

RepositoryError beside_the_repository(std::string const& path) {
    return {RepositoryFailure::failed,
            "the repository is on the same file system as " + path +
                ": one broken disk would take both, so nothing was saved; exclude what lies "
                "there, or keep the repository elsewhere"};
}

bool is_partial(Node const& folder) {
    return (folder.flags & node_flags::partial) != 0;
}

// The component of `path` that follows the folder `above` it.
std::string component_after(std::string const& path, std::string const& above) {
    std::size_t const start = above == "/" ? 1 : above.size() + 1;
    return path.substr(start, path.find('/', start) - start);
}

}  // namespace

FolderTag FolderTag::of_caches() {
    return {"CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55"};
}

char const* Walker::Place::entry() const {
    return folder == AT_FDCWD ? path.c_str() : name.c_str();
}

Walker::Walker(Exclusions const& exclude, ParentTree* parent, LookAhead& ahead, Splitter& split,
               Progress& progress)
    : exclude_(exclude),
      parent_(parent),
      ahead_(ahead),
      split_(split),
      progress_(progress),
      failures_(progress) {}

void Walker::fail(std::string const& path, std::string const& message) {
    is_partial_ = true;
    report(path, message);
}

void Walker::report(std::string const& path, std::string const& message) {
    failures_.add(path, message);
}

void Walker::walk(std::vector<std::string> const& paths, std::vector<std::string> const& named) {
    named_ = {named.begin(), named.end()};
    unreached_ = named_;
    for (auto const& path : paths) unreached_.erase(path);
    walk_above(paths, "/", parent_ != nullptr ? &parent_->root : nullptr);
    for (auto const& path : unreached_) report_unreached(path);
    split_.flush();
}

void Walker::report_unreached(std::string const& path) {
    struct stat status {};
    report(path, ::lstat(path.c_str(), &status) != 0
                     ? errno_text()
                     : "is not saved: it lies behind a symbolic link, or in a folder that is left "
                       "out, beneath another path; name it in a snapshot of its own");
}

// The folder `path` lies above all of `paths` or is the only one of them.
void Walker::walk_above(std::vector<std::string> const& paths, std::string const& path,
                        Node const* before) {
    std::size_t const slash = path.rfind('/');
    Place place{AT_FDCWD, path == "/" ? "root" : path.substr(slash + 1), path, 0};
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return fail(path, errno_text());
    if (!S_ISDIR(status.st_mode)) return fail(path, "is no folder");
    if (place.name.size() > limits::name_size) return fail(path, too_long_a_name);
    place.device = status.st_dev;
    Node folder = node_of(place, status);
    if (paths.size() == 1 && paths[0] == path) {
        return walk_directory(place, folder, before, nullptr);
    }
    // What else happens in the folders above is no change of what is saved.
    folder.flags = node_flags::above;
    folder.mtime = folder.ctime = {};
    folder.inode = folder.device = 0;
    folder.links = 1;
    walk_inside(std::move(folder), [&] { walk_beneath(paths, path, before); });
}

template <class Walk>
void Walker::walk_inside(Node folder, Walk const& walk) {
    split_.add(EnterDirectory{std::move(folder)});
    bool const is_above_partial = std::exchange(is_partial_, false);
    ++depth_;
    walk();
    --depth_;
    split_.add(LeaveDirectory{is_partial_ ? node_flags::partial : 0});
    is_partial_ = is_above_partial;
}

// The entries of the folder `path` that lie on the way to one of `paths`, or are one.
void Walker::walk_beneath(std::vector<std::string> const& paths, std::string const& path,
                          Node const* before) {
    std::optional<DirectoryCursor> cursor;
    if (before != nullptr && before->is_directory())
        cursor.emplace(parent_->reader, before->content);
    for (auto first = paths.begin(); first != paths.end();) {
        std::string const name = component_after(*first, path);
        std::string const child = join_path(path, name);
        auto const last = std::find_if_not(first, paths.end(), [&](std::string const& p) {
            return p == child || lies_beneath(p, child);
        });
        Node const* const found = cursor ? cursor->seek(name) : nullptr;
        if (*first == child) {
            walk_given({AT_FDCWD, name, child, 0}, found);
        } else {
            std::optional<Node> const kept =
                found != nullptr ? std::optional(*found) : std::nullopt;
            walk_above({first, last}, child, kept ? &*kept : nullptr);
        }
        first = last;
    }
}

// A path that was given.
void Walker::walk_given(Place const& place, Node const* before) {
    EntryLook look;
    if (::fstatat(place.folder, place.entry(), &look.status, AT_SYMLINK_NOFOLLOW) != 0) {
        return fail(place.path, errno_text());
    }
    walk_entry(place, look, before, nullptr);
}

void Walker::walk_entry(Place const& place, EntryLook const& look, Node const* before,
                        Entries* beside) {
    progress_.check_stop();
    if (!unreached_.empty()) unreached_.erase(place.path);
    if (look.error != 0) return fail(place.path, errno_text(look.error));
    if (place.name.size() > limits::name_size) return fail(place.path, too_long_a_name);
    Node node = node_of(place, look.status);
    if (is_excluded(place.path, node)) return;
    if (is_repository(look.status) && !is_named(place.path)) {
        left_out_ = place.path;
        return;
    }
    report_if_no_folder(place, node, before);
    switch (node.kind) {
        case NodeKind::directory:
            return walk_directory(place, std::move(node), before, beside);
        case NodeKind::file:
            if (is_temporary(place.name)) {
                report(place.path, "a restore that was killed has left it: delete it");
            } else if (is_unfinished(look.status)) {
                report(place.path, "a restore has not written it to its end: run that again");
            }
            return save_file(place, std::move(node), before);
        default:
            return save_other(place, std::move(node), before);
    }
}

// It may have moved to another disk.
void Walker::report_if_no_folder(Place const& place, Node const& node, Node const* before) {
    bool const was_folder = before != nullptr && before->is_directory();
    if (!was_folder || node.is_directory() || !named_.contains(place.path)) return;
    report(place.path, node.kind == NodeKind::symlink
                           ? "was a folder before, and is a symbolic link: name what it leads to"
                           : "was a folder before, and is none any more");
}

Node Walker::node_of(Place const& place, struct stat const& status) {
    Node node = nodes_.make(place.name, status);
    if (auto const failure = nodes_.take_failure()) report(place.path, *failure);
    return node;
}

bool Walker::is_repository(struct stat const& status) const {
    return S_ISDIR(status.st_mode) &&
           exclude_.repository == std::pair(status.st_dev, status.st_ino);
}

bool Walker::is_named(std::string const& path) const {
    if (named_.contains(path)) return true;
    auto const beneath = named_.lower_bound(path + "/");
    return beneath != named_.end() && lies_beneath(*beneath, path);
}

bool Walker::is_excluded(std::string const& path, Node const& node) {
    bool const is_too_large =
        exclude_.larger_than && node.is_file() && node.size > *exclude_.larger_than;
    if (!is_too_large && !matches_pattern(path)) return false;
    if (!is_named(path)) return true;
    spared_.push_back(path);
    return false;
}

bool Walker::matches_pattern(std::string const& path) const {
    return !exclude_.patterns.empty() && exclude_.patterns.matches(path);
}

// The only file of the folder that is to be kept; null when all is.
FolderTag const* Walker::tag_of(int folder) const {
    auto const found = std::find_if(exclude_.tags.begin(), exclude_.tags.end(),
                                    [&](FolderTag const& tag) { return holds(folder, tag); });
    return found == exclude_.tags.end() ? nullptr : &*found;
}

void Walker::apply_tag(Place const& place, Listing& listing) {
    auto const* const tag = tag_of(listing.folder.get());
    if (tag == nullptr) return;
    if (is_named(place.path)) return spared_.push_back(place.path);
    listing.names.keep_only(tag->name);
    listing.looks = look_at_entries(listing.folder.get(), listing.names, 0);
    is_partial_ = true;
}

void Walker::walk_directory(Place const& place, Node node, Node const* before, Entries* beside) {
    bool const is_entered =
        !exclude_.other_file_systems || node.device == place.device || named_.contains(place.path);
    Listing listing;
    if (is_entered) {
        listing =
            beside != nullptr ? beside->take_listing() : list_folder(place.folder, place.entry());
        if (listing.error != 0) return fail(place.path, errno_text(listing.error));
        node = node_of(place, listing.status);
        read_attributes(place, Attributes::of_open(listing.folder.get()), node);
    }
    if (depth_ >= limits::tree_depth) return fail(place.path, "nested too deeply");
    if (progress_.on_item && before == nullptr) progress_.on_item("new", place.path + "/");
    std::uint64_t const device = node.device;
    walk_inside(std::move(node), [&] {
        is_partial_ = !is_entered;
        if (is_entered) walk_entries(place, device, std::move(listing), before);
    });
}

void Walker::walk_entries(Place const& place, std::uint64_t device, Listing listing,
                          Node const* before) {
    if (listing.names_error != 0) fail(place.path, errno_text(listing.names_error));
    apply_tag(place, listing);
    std::optional<DirectoryCursor> cursor;
    if (before != nullptr && before->is_directory())
        cursor.emplace(parent_->reader, before->content);
    bool const is_empty =
        named_.contains(place.path) && listing.names.size() == 0 && listing.names_error == 0;
    if (is_empty && cursor && (cursor->next() != nullptr || is_partial(*before))) {
        fail(
            place.path,
            "is empty, and was not before: is something not mounted? If it is meant to be, save it "
            "once with --force");
    }
    // Other file systems are not listed ahead: one that hangs would be waited for even when the
    // walk does not enter it.
    Entries entries(ahead_, std::move(listing), [&](auto name, auto const& status) {
        if (status.st_dev != device) return false;
        std::string const path = join_path(place.path, name);
        return (!matches_pattern(path) && !is_repository(status)) || is_named(path);
    });
    for (; !entries.at_end(); entries.next()) {
        std::string name(entries.name());
        Node const* const found = cursor ? cursor->seek(name) : nullptr;
        std::string path = join_path(place.path, name);
        walk_entry({entries.folder(), std::move(name), std::move(path), device}, entries.look(),
                   found, &entries);
    }
}

// What destroys the repository would take it, too.
void Walker::note_beside(std::string const& path, Node const& file) {
    bool const is_beside = exclude_.repository && file.device == exclude_.repository->first;
    if (!is_beside || !beside_.empty()) return;
    if (exclude_.refuses_beside) throw beside_the_repository(path);
    beside_ = path;
}

void Walker::save_file(Place const& place, Node node, Node const* before) {
    note_beside(place.path, node);
    if (before != nullptr && is_unchanged(node, *before, parent_->started_ns) &&
        parent_->may_inherit(*before)) {
        return inherit_file(place, std::move(node), *before);
    }
    if (auto const known = read_.take(node); known != ReadInodes::Known::no) {
        progress_.bytes += node.size;
        ++progress_.files;
        return split_.add(AddLink{std::move(node), known == ReadInodes::Known::last});
    }
    Fd file =
        open_source(place.folder, place.entry(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (!file) return fail(place.path, errno_text());
    read_file(place, file, std::move(node.name), before);
}

void Walker::inherit_file(Place const& place, Node node, Node const& before) {
    node.content = before.content;
    node.holes = before.holes;
    node.hash = before.hash;
    node.xattrs = before.xattrs;
    progress_.bytes += node.size;
    ++progress_.files;
    if (progress_.on_item) progress_.on_item("unchanged", place.path);
    split_.add(AddNode{std::move(node), true});
}

void Walker::read_file(Place const& place, Fd const& file, std::string name, Node const* before) {
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return fail(place.path, errno_text());
    if (!S_ISREG(status.st_mode)) return fail(place.path, "was replaced while it was looked at");
    if (status.st_size > usual_read_ahead) {
        ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    }
    unwritten_.write(file, status);
    Node node = node_of(place, status);
    node.name = std::move(name);
    read_attributes(place, Attributes::of_open(file.get()), node);
    if (progress_.on_item) progress_.on_item(before == nullptr ? "new" : "changed", place.path);
    split_.add(BeginFile{0, node, before == nullptr});
    EndFile end = read_contents(place, file, status);
    bool const is_exact = !end.failed && ((node.flags | end.flags) & node_flags::unstable) == 0;
    end.remembered = is_exact && read_.remember(node);
    ++progress_.files;
    split_.add(std::move(end));
}

EndFile Walker::read_contents(Place const& place, Fd const& file, struct stat const& status) {
    EndFile end;
    try {
        SourceFile source(file.get(), status);
        split_.add_bytes(0, [&](std::span<std::byte> into) {
            progress_.check_stop();
            std::size_t const size = source.read(into);
            progress_.bytes += size;
            return size;
        });
        end.holes = source.holes();
        for (auto const& hole : end.holes) progress_.bytes += hole.size;
        if (source.has_changed()) {
            end.flags = node_flags::unstable;
            report(place.path, "changed while it was read: saved as it was found");
        }
    } catch (SourceError const& error) {
        end.failed = true;
        fail(place.path, std::string("cannot be read: ") + error.what());
    }
    return end;
}

// Without them the entry is not what was there: the next run must not take it over.
void Walker::read_attributes(Place const& place, Attributes const& of, Node& node) {
    try {
        node.xattrs = of.read();
    } catch (SourceError const& error) {
        node.flags |= node_flags::unstable;
        report(place.path, error.what());
    }
}

void Walker::save_other(Place const& place, Node node, Node const* before) {
    if (before != nullptr && is_unchanged(node, *before, parent_->started_ns)) {
        node.target = before->target;
        node.xattrs = before->xattrs;
        return split_.add(AddNode{std::move(node)});
    }
    if (node.kind == NodeKind::symlink) {
        std::string target(limits::link_target_size, '\0');
        ssize_t const size =
            ::readlinkat(place.folder, place.entry(), target.data(), target.size());
        if (size < 0) return fail(place.path, errno_text());
        node.target = target.substr(0, static_cast<std::size_t>(size));
    }
    read_attributes(place, Attributes::of_entry(place.folder, place.entry()), node);
    split_.add(AddNode{std::move(node)});
}

}  // namespace coffre
