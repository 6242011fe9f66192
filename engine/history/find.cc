#include "engine/find.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <unordered_map>

#include "engine/history/earlier_nodes.h"
#include "engine/history/node_versions.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/util/lru_cache.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t earlier_pieces = 32 * limits::mib;

// The snapshots that something is in, by their numbers.
struct Seen {
    std::uint32_t count = 0;
    std::uint32_t first = UINT32_MAX;
    std::uint32_t last = 0;

    void add(Seen const& other) {
        count += other.count;
        first = std::min(first, other.first);
        last = std::max(last, other.last);
    }
};

struct Folder {
    std::uint32_t parent = 0;
    std::uint32_t depth = 0;
    std::string const* name = nullptr;
    bool is_entered = true;  // something beneath may match
};

// A recipe or a piece of a folder at one path: what all snapshots that have it there share.
struct Part {
    std::uint32_t folder = 0;
    std::uint8_t level = 0;        // 0: a piece
    std::uint64_t first_part = 0;  // what it leads to, in Search::parts_beneath_
    std::uint64_t end_part = 0;
    std::uint64_t first_match = 0;  // what matches in it, in Search::matches_
    std::uint64_t end_match = 0;
    Seen seen = {};
};

struct Version {
    std::uint32_t folder = 0;
    std::string name;
    FoundVersion found;
    Seen seen;
};

// A recipe or a piece that cannot be read.
struct Unreadable : std::runtime_error {
    using runtime_error::runtime_error;
};

// What goes by this id or text in one folder.
template <class Name>
using InFolder = std::pair<std::uint32_t, Name>;

struct InFolderHash {
    std::size_t operator()(InFolder<ChunkId> const& key) const {
        return key.second.prefix() + key.first;
    }
    std::size_t operator()(InFolder<std::string> const& key) const {
        return std::hash<std::string>()(key.second) + key.first;
    }
};

template <class Name>
using Numbers = std::unordered_map<InFolder<Name>, std::uint32_t, InFolderHash>;

std::uint32_t number_of_next(std::size_t size) {
    return static_cast<std::uint32_t>(size);
}

Statistics sum_of(std::span<NamedSnapshot const> snapshots) {
    Statistics sum;
    for (auto const& named : snapshots) {
        sum.files += named.snapshot.statistics.files;
        sum.directories += named.snapshot.statistics.directories;
        sum.others += named.snapshot.statistics.others;
    }
    return sum;
}

// Equal for versions that a restore would make equal, but for what is in a folder.
std::string identity_of(Node const& node) {
    Writer form;
    write_digest_form(form, node);
    // The form of a folder ends in the digest of what is in it.
    return to_text(form.view().first(form.size() - (node.is_directory() ? Digest::size : 0)));
}

// The trees of all snapshots, as one graph in which what they share at the same path is there once.
// First the parts are read, snapshot by snapshot: in the order in which they were written, so that
// a block is needed once. Then the snapshots that a part is in are handed down, from the roots.
class Search {
public:
    Search(ChunkReader& reader, std::span<NamedSnapshot const> snapshots, NodeFilter const& filter,
           FindLimits const& limits)
        : reader_(reader),
          snapshots_(snapshots),
          filter_(filter),
          limits_(limits),
          entries_(sum_of(snapshots)),
          folders_(1) {}

    void read() {
        for (std::uint32_t number = 0; number < snapshots_.size(); ++number) {
            Content const& root = snapshots_[number].snapshot.root.content;
            for (auto const& entry : root.entries) {
                parts_[part_of(0, root.level, entry)].seen.add({1, number, number});
            }
            while (!unread_.empty()) read_next();
        }
    }

    bool is_whole() const { return unreadable_.empty(); }

    FindResult finish(std::function<void(FoundVersion const&)> const& found) {
        hand_down();
        return report(found);
    }

private:
    void hand_down() {
        for (auto const number : parts_from_the_roots()) {
            Part const part = parts_[number];
            for (auto i = part.first_part; i < part.end_part; ++i) {
                parts_[parts_beneath_[i]].seen.add(part.seen);
            }
            for (auto i = part.first_match; i < part.end_match; ++i) {
                versions_[matches_[i]].seen.add(part.seen);
            }
        }
    }

    FindResult report(std::function<void(FoundVersion const&)> const& found) {
        std::sort(versions_.begin(), versions_.end(), [](Version const& a, Version const& b) {
            return std::tie(a.folder, a.name, a.seen.first) <
                   std::tie(b.folder, b.name, b.seen.first);
        });
        std::string path;
        report_folder(0, path, found);
        return {versions_.size(), damaged()};
    }

    struct Unread {
        std::uint32_t part;
        ListEntry entry;
    };

    std::uint32_t part_of(std::uint32_t folder, std::uint8_t level, ListEntry const& entry) {
        auto const [place, is_new] =
            known_parts_.try_emplace({folder, entry.id}, number_of_next(parts_.size()));
        if (is_new) {
            parts_.push_back({folder, level});
            unread_.push_back({place->second, entry});
        }
        return place->second;
    }

    std::uint32_t folder_of(std::uint32_t parent, std::string const& name) {
        auto const [place, is_new] =
            subfolders_.try_emplace({parent, name}, number_of_next(folders_.size()));
        if (!is_new) return place->second;
        folders_.push_back({parent, folders_[parent].depth + 1, &place->first.second});
        Folder& folder = folders_.back();
        if (folder.depth > limits::tree_depth) {
            throw corrupt(name + ": nested too deeply");
        }
        if (filter_.wants_folder()) {
            folder.is_entered = filter_.may_match_beneath(path_of(place->second));
        }
        return place->second;
    }

    std::string path_of(std::uint32_t folder) const {
        std::vector<std::string const*> names;
        for (; folder != 0; folder = folders_[folder].parent)
            names.push_back(folders_[folder].name);
        std::string path;
        for (auto it = names.rbegin(); it != names.rend(); ++it) path.append("/").append(**it);
        return path;
    }

    std::uint32_t version_of(std::uint32_t folder, Node const& node) {
        auto const [place, is_new] = known_versions_.try_emplace({folder, identity_of(node)},
                                                                 number_of_next(versions_.size()));
        if (!is_new) return place->second;
        if (versions_.size() == limits_.versions) {
            throw RepositoryError(
                RepositoryFailure::failed,
                "more than " + std::to_string(limits_.versions) +
                    " versions match: ask for fewer by name, time, size or snapshot");
        }
        FoundVersion found{"", node.kind, node.size, node.mtime, node.mode, node.uid, node.gid};
        versions_.push_back({folder, node.name, found, {}});
        return place->second;
    }

    void read_next() {
        auto const [number, entry] = unread_.back();
        unread_.pop_back();
        Part part = parts_[number];
        part.first_part = parts_beneath_.size();
        part.first_match = matches_.size();
        try {
            read_part(part, entry);
        } catch (Unreadable const& error) {
            unreadable_.emplace_back(number, error.what());
        }
        part.end_part = parts_beneath_.size();
        part.end_match = matches_.size();
        parts_[number] = part;
    }

    void read_part(Part const& part, ListEntry const& entry) {
        if (part.level == 0) return read_piece(part.folder, entry);
        auto const below = static_cast<std::uint8_t>(part.level - 1);
        lead_to(part.folder,
                if_readable([&] { return read_checked_recipe(reader_, entry, below); }));
    }

    // The rest of the trees can be looked at without it.
    template <class Read>
    static std::invoke_result_t<Read> if_readable(Read const& read) {
        try {
            return read();
        } catch (RepositoryError const& error) {
            if (error.kind() != RepositoryFailure::corrupt) throw;
            throw Unreadable(error.what());
        }
    }

    void lead_to(std::uint32_t folder, Content const& content) {
        for (auto const& entry : content.entries) {
            parts_beneath_.push_back(part_of(folder, content.level, entry));
        }
    }

    void read_piece(std::uint32_t folder, ListEntry const& entry) {
        naming("chunk " + entry.id.hex(), [&] {
            ReadPiece piece{if_readable([&] { return reader_.read(PackKind::meta, entry.id); }),
                            {}};
            TreePieceReader in(piece.bytes);
            if (in.nodes_left() != entry.weight)
                throw FormatError("piece has another number of nodes");
            std::pair const name(folder, in.next_name());
            piece.places = read_nodes(folder, in, EarlierNodes(pieces_.find(name)));
            std::size_t const weight =
                piece.bytes.size() + piece.places.size() * sizeof(Place) + sizeof piece;
            pieces_.insert(name, std::move(piece), weight);
        });
    }

    // In a history most nodes of a piece are those of an earlier version: to decode and match them
    // again took most of the time.
    std::vector<Place> read_nodes(std::uint32_t folder, TreePieceReader& in, EarlierNodes earlier) {
        std::string const path = filter_.wants_folder() ? path_of(folder) : "";
        std::vector<Place> places{place(in)};
        places.reserve(in.nodes_left() + 1);
        while (in.nodes_left() > 0) {
            entries_.add();
            if (auto const known = earlier.pass(in)) {
                add_again(known->first, known->second);
            } else {
                add(folder, path, in.read());
            }
            places.push_back(place(in));
        }
        return places;
    }

    Place place(TreePieceReader const& in) const {
        return {in.offset(), parts_beneath_.size(), matches_.size()};
    }

    void add(std::uint32_t folder, std::string const& path, Node const& node) {
        if (filter_.matches(path, node)) matches_.push_back(version_of(folder, node));
        if (!node.is_directory()) return;
        std::uint32_t const beneath = folder_of(folder, node.name);
        if (folders_[beneath].is_entered) lead_to(beneath, node.content);
    }

    void add_again(Place const& begin, Place const& end) {
        for (auto i = begin.part; i < end.part; ++i) parts_beneath_.push_back(parts_beneath_[i]);
        for (auto i = begin.match; i < end.match; ++i) matches_.push_back(matches_[i]);
    }

    // Each after all that lead to it.
    std::vector<std::uint32_t> parts_from_the_roots() const {
        auto const rank = [&](std::uint32_t number) {
            Part const& part = parts_[number];
            return std::pair(folders_[part.folder].depth, -int{part.level});
        };
        std::vector<std::uint32_t> numbers(parts_.size());
        std::iota(numbers.begin(), numbers.end(), 0U);
        std::sort(numbers.begin(), numbers.end(),
                  [&](auto a, auto b) { return rank(a) < rank(b); });
        return numbers;
    }

    void report_folder(std::uint32_t folder, std::string& path,
                       std::function<void(FoundVersion const&)> const& found) {
        auto version = std::partition_point(
            versions_.begin(), versions_.end(),
            [&](Version const& candidate) { return candidate.folder < folder; });
        for (; version != versions_.end() && version->folder == folder; ++version) {
            report_version(*version, path, found);
        }
        auto child = subfolders_.lower_bound({folder, ""});
        for (; child != subfolders_.end() && child->first.first == folder; ++child) {
            std::size_t const size = path.size();
            path.append("/").append(child->first.second);
            report_folder(child->second, path, found);
            path.resize(size);
        }
    }

    std::vector<std::string> damaged() const {
        std::vector<std::string> messages;
        for (auto const& [number, message] : unreadable_) {
            Part const& part = parts_[number];
            std::string const path = path_of(part.folder);
            messages.push_back(names::snapshot(snapshots_[part.seen.last].id) + ":" +
                               (path.empty() ? "/" : path) + ": " + message);
        }
        return messages;
    }

    void report_version(Version& version, std::string const& folder,
                        std::function<void(FoundVersion const&)> const& found) {
        FoundVersion& shown = version.found;
        shown.path = folder + "/" + version.name;
        shown.snapshots = version.seen.count;
        shown.oldest = &snapshots_[version.seen.first];
        shown.newest = &snapshots_[version.seen.last];
        found(shown);
        shown.path = {};
    }

    ChunkReader& reader_;
    std::span<NamedSnapshot const> snapshots_;
    NodeFilter const& filter_;
    FindLimits const& limits_;
    EntryCount entries_;
    std::vector<Folder> folders_;  // 0 is the root
    std::map<std::pair<std::uint32_t, std::string>, std::uint32_t> subfolders_;
    std::vector<Part> parts_;
    Numbers<ChunkId> known_parts_;
    std::vector<Unread> unread_;
    // The last version of each, by the folder and the name of the first node.
    LruCache<std::pair<std::uint32_t, std::string>, ReadPiece> pieces_{earlier_pieces};
    std::vector<std::uint32_t> parts_beneath_;
    std::vector<Version> versions_;
    Numbers<std::string> known_versions_;
    std::vector<std::uint32_t> matches_;
    std::vector<std::pair<std::uint32_t, std::string>> unreadable_;  // parts, and why
};

}  // namespace

FindResult find_versions(Repository& repository, std::span<NamedSnapshot const> snapshots,
                         NodeFilter const& filter,
                         std::function<void(FoundVersion const&)> const& found,
                         FindLimits const& limits) {
    return with_index([&] {
        repository.refresh_index();
        ChunkReader reader(repository, tree_cache);
        Search search(reader, snapshots, filter, limits);
        search.read();
        if (search.is_whole()) return search.finish(found);
        // What a collection removes meanwhile is no damage.
        std::vector<NamedSnapshot> left(snapshots.begin(), snapshots.end());
        std::erase_if(left, [&](auto const& named) { return is_given_up(repository, named.id); });
        if (left.size() == snapshots.size()) return search.finish(found);
        Search again(reader, left, filter, limits);
        again.read();
        return again.finish(found);
    });
}

}  // namespace coffre
