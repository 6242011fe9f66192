// A restore from beginning to end: folders first, then contents, links, and folders' metadata.
#include "engine/restore.h"

#include <fcntl.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "engine/repository/tree_reader.h"
#include "engine/restore/fetch.h"
#include "engine/util/paths.h"
#include "engine/util/workers.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t meta_cache = 32 * limits::mib;
constexpr std::uint64_t preallocate_from = limits::mib;

bool is_not_older(struct stat const& there, Node const& node) {
    TimePoint const mtime{there.st_mtim.tv_sec, static_cast<std::uint32_t>(there.st_mtim.tv_nsec)};
    return mtime >= node.mtime;
}

bool looks_equal(struct stat const& there, Node const& node) {
    return static_cast<std::uint64_t>(there.st_size) == node.size &&
           there.st_mtim.tv_sec == node.mtime.seconds &&
           static_cast<std::uint32_t>(there.st_mtim.tv_nsec) == node.mtime.nanoseconds;
}

bool has_metadata(struct stat const& there, Node const& node) {
    return looks_equal(there, node) && (there.st_mode & 07777U) == node.mode &&
           there.st_uid == node.uid && there.st_gid == node.gid;
}

class Restorer {
public:
    Restorer(Repository& repository, RestoreRequest const& request, Progress& progress)
        : repository_(repository),
          request_(request),
          progress_(progress),
          reader_(repository, meta_cache),
          target_(request.target, request.dry_run ? Absent::stays : Absent::is_made),
          writer_(target_, request, progress),
          fetcher_(reader_, writer_, worker_count(request.threads)) {}

    RestoreResult run() {
        Node const start = start_node();
        if (start.is_directory()) {
            if (!request_.from.sub_path.empty() && !request_.dry_run)
                folders_.emplace_back("", start);
            enter(start, "", request_.include.empty());
        } else {
            restore_entry(start, start.name, true);
        }
        fetcher_.run();
        for (auto const& link : links_)
            guarded(link.first, [&] { make_link(link.first, link.second); });
        for (auto it = folders_.rbegin(); it != folders_.rend(); ++it) {
            guarded(it->first, [&] { target_.apply_by_name(it->first, it->second); });
        }
        if (!request_.dry_run) target_.sync();
        collect();
        if (request_.verify && !request_.dry_run) verify();
        return std::move(result_);
    }

private:
    Node start_node() {
        auto node = find_node(reader_, request_.from.snapshot.root, request_.from.sub_path);
        if (!node) {
            throw RepositoryError(RepositoryFailure::failed,
                                  "the snapshot has nothing at \"" + request_.from.sub_path + "\"");
        }
        return *node;
    }

    // The target's failures are per entry; the repository's end the command.
    template <class Action>
    void guarded(std::string const& path, Action const& action) {
        try {
            action();
        } catch (SourceError const& error) {
            result_.failures.push_back({path, error.what()});
            if (progress_.on_failure) progress_.on_failure(path, error.what());
        }
    }

    void enter(Node const& folder, std::string const& path, bool selected) {
        std::set<std::string> names;
        DirectoryCursor cursor(reader_, folder.content);
        for (;;) {
            Node const* const child = next_or_report(cursor, path);
            if (child == nullptr) break;
            progress_.check_stop();
            if (request_.delete_extra) names.insert(child->name);
            Node const node = *child;
            std::string const child_path = join_path(path, node.name);
            guarded(child_path, [&] { visit(node, child_path, selected); });
        }
        if (request_.delete_extra && target_has_folder(path)) {
            guarded(path, [&] { delete_extra(path, names, selected); });
        }
    }

    // A piece of a directory that cannot be read takes its entries with it: named, not skipped.
    Node const* next_or_report(DirectoryCursor& cursor, std::string const& path) {
        try {
            return cursor.next();
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            report_damaged(path.empty() ? "/" : path, error.what());
            return nullptr;
        }
    }

    void report_damaged(std::string const& path, std::string const& message) {
        result_.damaged.push_back({path, message});
        if (progress_.on_failure) progress_.on_failure(path, message);
    }

    bool target_has_folder(std::string const& path) {
        if (path.empty()) return target_.exists();
        auto const there = parent_exists(path) ? target_.look(path) : std::nullopt;
        return there && S_ISDIR(there->st_mode);
    }

    void visit(Node const& node, std::string const& path, bool parent_selected) {
        std::string const shown = "/" + path;
        if (request_.exclude.matches(shown)) return;
        bool const selected = parent_selected || request_.include.matches(shown);
        if (!node.is_directory()) {
            if (selected) restore_entry(node, path, false);
            return;
        }
        if (!selected && !request_.include.may_match_beneath(shown)) return;
        pending_.emplace_back(path, node);
        if (selected) make_pending();
        if (++depth_ > limits::tree_depth) throw SourceError(path, "nested too deeply");
        enter(node, path, selected);
        --depth_;
        if (!pending_.empty() && pending_.back().first == path) pending_.pop_back();
    }

    // Folders on the way to something selected are made when it is met, not before.
    void make_pending() {
        for (auto& [path, node] : pending_) {
            ++result_.directories;
            if (!request_.dry_run) make_folder(path, node);
            node.content = {};
            if (!request_.dry_run) folders_.emplace_back(path, std::move(node));
        }
        pending_.clear();
    }

    void make_folder(std::string const& path, Node const& node) {
        auto const there = target_.look(path);
        if (there && S_ISDIR(there->st_mode)) return target_.allow_writing(path, *there);
        if (there) clear_way(path, node);
        target_.make_directory(path);
    }

    // Something of another kind is where `node` belongs.
    void clear_way(std::string const& path, Node const& node) {
        auto const there = target_.look(path);
        if (!there) return;
        if (request_.overwrite == Overwrite::never) {
            throw SourceError(path, "something else is there, and it may not be overwritten");
        }
        if (S_ISDIR(there->st_mode) && !node.is_directory() && !request_.delete_extra) {
            throw SourceError(path, "a folder is in the way (--delete removes it)");
        }
        target_.remove(path);
    }

    void restore_entry(Node const& node, std::string const& path, bool is_start) {
        if (!is_start) make_pending();
        if (node.is_file()) return restore_file(node, path);
        ++result_.others;
        if (request_.dry_run) return;
        Node kept = node;
        links_.emplace_back(path, std::move(kept));
    }

    void make_link(std::string const& path, Node const& node) {
        auto const there = target_.look(path);
        if (there && request_.overwrite == Overwrite::never) return;
        if (there) clear_way(path, node);
        if (node.kind == NodeKind::symlink) {
            target_.make_link(path, node);
        } else {
            target_.make_special(path, node);
        }
        target_.apply_by_name(path, node);
    }

    // The file that is there already; what is there and is none is cleared away.
    std::optional<struct stat> file_at(std::string const& path, Node const& node) {
        if (request_.dry_run && !parent_exists(path)) return std::nullopt;
        auto const there = target_.look(path);
        if (!there || S_ISREG(there->st_mode)) return there;
        if (!request_.dry_run) clear_way(path, node);
        return std::nullopt;
    }

    bool keeps_existing(struct stat const& there, Node const& node) {
        return request_.overwrite == Overwrite::never ||
               (request_.overwrite == Overwrite::if_newer && is_not_older(there, node));
    }

    void restore_file(Node const& node, std::string const& path) {
        ++result_.files;
        result_.bytes += node.size;
        auto there = file_at(path, node);
        if (there && keeps_existing(*there, node)) {
            ++result_.files_skipped;
            return;
        }
        if (there && may_keep_contents(*there, node)) return keep_contents(node, path, *there);
        // What is changed of a file of several names changes under the others too.
        if (there && there->st_nlink > 1 && !request_.dry_run) {
            target_.remove(path);
            there.reset();
        }
        if (there) return update_file(node, path, *there);
        create_file(node, path);
    }

    bool may_keep_contents(struct stat const& there, Node const& node) const {
        bool const changes_others = there.st_nlink > 1 && !has_metadata(there, node);
        return request_.overwrite == Overwrite::if_changed && looks_equal(there, node) &&
               !changes_others;
    }

    bool parent_exists(std::string const& path) {
        std::size_t const slash = path.rfind('/');
        return target_has_folder(slash == std::string::npos ? "" : path.substr(0, slash));
    }

    void keep_contents(Node const& node, std::string const& path, struct stat const& there) {
        ++result_.files_unchanged;
        progress_.bytes += node.size;
        ++progress_.files;
        if (request_.dry_run || has_metadata(there, node)) return;
        target_.apply(path, target_.open_file(path, O_RDONLY).get(), node);
    }

    std::shared_ptr<RestoredFile> begin_file(Node const& node, std::string const& path,
                                             bool is_new) {
        ++result_.files_restored;
        auto file = std::make_shared<RestoredFile>();
        file->path = path;
        file->node = node;
        file->node.content = {};
        file->is_new = is_new;
        return file;
    }

    void create_file(Node const& node, std::string const& path) {
        auto const file = begin_file(node, path, true);
        if (request_.dry_run) return;
        Fd const fd = target_.create_file(path);
        set_size(path, fd, node);
        remember_for_verify(path, node);
        plan_chunks(node, file, [](std::uint64_t, ListEntry const&) { return false; });
    }

    void set_size(std::string const& path, Fd const& fd, Node const& node) const {
        auto const size = static_cast<off_t>(node.size);
        bool const preallocate = !request_.sparse && node.size >= preallocate_from;
        bool ok = preallocate && ::fallocate(fd.get(), 0, 0, size) == 0;
        if (preallocate && !ok && errno == ENOSPC) {
            throw SourceError(path, "cannot write: " + errno_text());
        }
        if (!ok) ok = ::ftruncate(fd.get(), size) == 0;
        if (!ok) throw SourceError(path, "cannot set the size: " + errno_text());
    }

    // Compares what is there, chunk by chunk, and plans only what differs.
    void update_file(Node const& node, std::string const& path, struct stat const& there) {
        if (!request_.dry_run) target_.allow_writing(path, there);
        Fd const fd = target_.open_file(path, request_.dry_run ? O_RDONLY : O_RDWR);
        std::uint64_t different = 0;
        Bytes buffer;
        auto const is_there = [&](std::uint64_t offset, ListEntry const& entry) {
            buffer.resize(entry.weight);
            ssize_t const size = pread_full(fd.get(), buffer, static_cast<off_t>(offset));
            bool const same = size == static_cast<ssize_t>(entry.weight) &&
                              repository_.namer().name(PackKind::data, buffer) == entry.id;
            if (!same) ++different;
            if (same) progress_.bytes += entry.weight;
            return same;
        };
        bool const same_size = static_cast<std::uint64_t>(there.st_size) == node.size;
        auto const file = begin_file(node, path, false);
        if (!request_.dry_run) {
            if (!same_size && ::ftruncate(fd.get(), static_cast<off_t>(node.size)) != 0) {
                throw SourceError(path, "cannot set the size: " + errno_text());
            }
            remember_for_verify(path, node);
        }
        plan_chunks(node, file, is_there);
        if (different > 0 || !same_size) return;
        --result_.files_restored;
        ++result_.files_unchanged;
    }

    template <class IsThere>
    void plan_chunks(Node const& node, std::shared_ptr<RestoredFile> const& file,
                     IsThere const& is_there) {
        try {
            std::uint64_t offset = 0;
            ContentCursor chunks(reader_, node.content);
            while (auto const entry = chunks.next()) {
                if (entry->weight > limits::chunk_size) throw_too_large(*entry);
                if (!is_there(offset, *entry) && !request_.dry_run) {
                    fetcher_.plan(
                        {file, offset, entry->id, static_cast<std::uint32_t>(entry->weight)});
                }
                offset += entry->weight;
            }
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            writer_.mark_damaged(*file, error.what());
        }
        if (!request_.dry_run) writer_.release(*file);
    }

    [[noreturn]] static void throw_too_large(ListEntry const& entry) {
        throw RepositoryError(RepositoryFailure::corrupt,
                              "chunk " + entry.id.hex() + ": is said to be too large");
    }

    void delete_extra(std::string const& path, std::set<std::string> const& names, bool selected) {
        for (auto const& name : target_.names(path)) {
            std::string const child = join_path(path, name);
            std::string const shown = "/" + child;
            bool const ours = selected || request_.include.matches(shown);
            if (names.contains(name) || !ours || request_.exclude.matches(shown)) continue;
            if (progress_.on_item) progress_.on_item("deleted", child);
            result_.files_deleted += request_.dry_run ? 1 : target_.remove(child);
        }
    }

    void remember_for_verify(std::string const& path, Node const& node) {
        if (request_.verify) to_verify_.push_back({path, node.hash});
    }

    void collect() {
        result_.bytes_written = writer_.bytes_written();
        for (auto& failure : writer_.damaged()) result_.damaged.push_back(std::move(failure));
        for (auto& failure : writer_.failures()) result_.failures.push_back(std::move(failure));
    }

    void verify() {
        std::set<std::string> known_bad;
        for (auto const& failure : result_.damaged) known_bad.insert(failure.path);
        for (auto const& failure : result_.failures) known_bad.insert(failure.path);
        Bytes buffer(limits::mib);
        for (auto const& [path, hash] : to_verify_) {
            if (known_bad.contains(path)) continue;
            guarded(path, [&, &path = path, &hash = hash] {
                Fd const fd = target_.open_file(path, O_RDONLY);
                FileHasher hasher;
                for (ssize_t size = 1; size > 0;) {
                    size = read_full(fd.get(), buffer);
                    if (size < 0) throw SourceError(path, "cannot be read back: " + errno_text());
                    hasher.update(ByteView(buffer).first(static_cast<std::size_t>(size)));
                }
                ++result_.files_verified;
                if (hasher.hash() != hash) report_damaged(path, "reads back with other contents");
            });
        }
    }

    struct Expected {
        std::string path;
        FileHash hash;
    };

    Repository& repository_;
    RestoreRequest const& request_;
    Progress& progress_;
    ChunkReader reader_;
    Target target_;
    FileWriter writer_;
    Fetcher fetcher_;
    RestoreResult result_;
    std::vector<std::pair<std::string, Node>> pending_;  // folders entered but not made yet
    std::vector<std::pair<std::string, Node>> folders_;  // made; metadata to come, deepest first
    std::vector<std::pair<std::string, Node>> links_;    // links and special nodes: after all files
    std::vector<Expected> to_verify_;
    std::uint64_t depth_ = 0;
};

}  // namespace

RestoreResult restore_snapshot(Repository& repository, RestoreRequest const& request,
                               Progress& progress) {
    bool const at_root = std::filesystem::weakly_canonical(request.target) == "/";
    if (request.delete_extra && at_root && request.include.empty()) {
        throw SourceError("/", "--delete at / needs --include: it would remove the whole system");
    }
    repository.refresh_index();
    return with_sound_index(repository,
                            [&] { return Restorer(repository, request, progress).run(); });
}

}  // namespace coffre
