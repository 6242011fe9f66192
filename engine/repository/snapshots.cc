#include "engine/snapshots.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "engine/repository/forgets.h"
#include "engine/repository/gc_state.h"
#include "engine/repository/names.h"
#include "engine/repository/snapshot_store.h"
#include "engine/repository/tree_reader.h"
#include "engine/util/clock.h"
#include "engine/util/text.h"
#include "format/limits.h"

namespace coffre {

namespace {

RepositoryError not_there(std::string const& message) {
    return {RepositoryFailure::failed, message};
}

// With "": has none.
bool has_tags(Snapshot const& snapshot, std::string const& all_of) {
    if (all_of.empty()) return snapshot.tags.empty();
    auto const tags = split_at_commas(all_of);
    return std::all_of(tags.begin(), tags.end(), [&](std::string const& tag) {
        return std::find(snapshot.tags.begin(), snapshot.tags.end(), tag) != snapshot.tags.end();
    });
}

std::string local_time_text(std::int64_t ns) {
    time_t const seconds = ns / 1'000'000'000;
    struct tm parts {};
    ::localtime_r(&seconds, &parts);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S", &parts);
    return text.data();
}

RepositoryError none_that_old(NamedSnapshot const& oldest) {
    return not_there("there is no such snapshot: none is that old; the oldest is " +
                     oldest.id.hex().substr(0, 8) + " of " +
                     local_time_text(shown_ns(oldest.snapshot)));
}

// The n-th newest of `candidates` (oldest first), not after `not_after`.
NamedSnapshot const& nth_newest(std::vector<NamedSnapshot> const& candidates, std::size_t n,
                                std::optional<std::int64_t> not_after) {
    for (auto it = candidates.rbegin(); it != candidates.rend(); ++it) {
        if (not_after && shown_ns(it->snapshot) > *not_after) continue;
        if (n-- == 0) return *it;
    }
    if (not_after && !candidates.empty()) throw none_that_old(candidates.front());
    throw not_there(candidates.empty() ? "there is no such snapshot: none matches"
                                       : "there is no such snapshot: only " +
                                             std::to_string(candidates.size()) + " match");
}

NamedSnapshot const& by_prefix(std::vector<NamedSnapshot> const& all, std::string const& prefix) {
    if (prefix.empty()) throw std::invalid_argument("no snapshot named: give an ID or latest");
    NamedSnapshot const* found = nullptr;
    for (auto const& candidate : all) {
        if (!candidate.id.hex().starts_with(prefix)) continue;
        if (found != nullptr) {
            throw not_there("several snapshots begin with " + prefix + ": give more digits");
        }
        found = &candidate;
    }
    if (found != nullptr) return *found;
    for (auto const& candidate : all) {
        bool const is_successor =
            candidate.snapshot.was && candidate.snapshot.was->hex().starts_with(prefix);
        if (!is_successor) continue;
        throw not_there("snapshot " + prefix + " is " + candidate.id.hex().substr(0, 8) +
                        " now, with other tags or taken back");
    }
    throw not_there("no snapshot begins with \"" + prefix +
                    "\"; see `repo snapshots`, and `repo snapshots --forgotten`");
}

std::size_t parse_count(std::string const& text) {
    bool const digits =
        !text.empty() && text.size() < 10 &&
        std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) throw std::invalid_argument("\"latest~" + text + "\": a number must follow the ~");
    return std::stoul(text);
}

NamedSnapshot const& resolve(std::vector<NamedSnapshot> const& all, std::string const& name) {
    if (!name.starts_with("latest")) return by_prefix(all, name);
    std::string const rest = name.substr(6);
    if (rest.empty()) return nth_newest(all, 0, std::nullopt);
    if (rest[0] == '~') return nth_newest(all, parse_count(rest.substr(1)), std::nullopt);
    if (rest[0] == '@') return nth_newest(all, 0, parse_time(rest.substr(1)));
    throw std::invalid_argument("\"" + name + "\": write latest, latest~N or latest@TIME");
}

// Where the sub path begins: after the first ':' that is not part of a time.
std::size_t sub_path_colon(std::string const& name) {
    if (!name.starts_with("latest@")) return name.find(':');
    return name.find(":/");
}

std::map<WriterId, SessionId> newest_of_each(SnapshotList const& list) {
    std::map<WriterId, NamedSnapshot const*> newest;
    for (auto const& named : list.snapshots) {
        auto const*& head = newest[named.snapshot.writer];
        if (head == nullptr || head->snapshot.sequence <= named.snapshot.sequence) head = &named;
    }
    std::map<WriterId, SessionId> heads;
    for (auto const& [writer, named] : newest) heads.emplace(writer, named->id);
    return heads;
}

// The newest snapshot of every writer: one that is gone the next time was taken away, and is missed
// until that is accepted. `accounted`: those that were read just now, or may be gone. One that is
// listed and cannot be read is waited for.
void remember_heads(Repository& repository, SnapshotList const& list,
                    std::set<SessionId> const& accounted, std::set<SessionId> const& closed) {
    auto const newest = newest_of_each(list);
    auto const change = [&](LocalState& state) {
        // Of writers that have left nothing: machines without a cache are new ones in each run.
        std::erase_if(state.heads, [&](auto const& head) {
            return head.first != state.writer && closed.contains(head.second) &&
                   !newest.contains(head.first);
        });
        for (auto const& [writer, head] : newest) {
            if (writer == state.writer) continue;
            SessionId const seen = state.heads.try_emplace(writer, head).first->second;
            if (accounted.contains(seen)) state.heads[writer] = head;
        }
    };
    LocalState changed = repository.local_state();
    change(changed);
    if (changed == repository.local_state()) return;
    try {
        // A slot that its writer has not synced yet may be gone after a power cut: no rollback.
        repository.store().barrier();
        repository.update_local_state(change);
    } catch (SourceError const&) {
        // Without it a later rollback goes unnoticed here; what was asked for works all the same.
    } catch (RepositoryError const&) {
        // The same.
    }
}

// What is saved can be restored also without the collectors' log.
std::set<SessionId> closed_slots(Repository& repository, std::vector<std::string>& damaged) {
    try {
        return read_gc_log(repository.store(), repository.keys()).closed;
    } catch (RepositoryError const& error) {
        if (!is_unreadable(error.kind())) throw;
        damaged.emplace_back(error.what());
        return {};
    }
}

struct Walk {
    ChunkReader& reader;
    std::function<bool(std::string const&, Node const&)> const& visit;
    std::function<void(std::string const&)> const& damaged;
    EntryCount entries;
    std::string path;  // of where the walk is

    void enter(Node const& node, std::size_t depth) {
        if (!visit(path, node) || !node.is_directory()) return;
        if (depth > limits::tree_depth) {
            throw corrupt(path + ": nested too deeply");
        }
        std::size_t const size = path.size();
        DirectoryCursor cursor(reader, node.content);
        while (Node const* const child = next(cursor)) {
            entries.add();
            path.append("/").append(child->name);
            enter(*child, depth + 1);
            path.resize(size);
        }
    }

    // The rest of a folder that cannot be read is left out, if that may be.
    Node const* next(DirectoryCursor& cursor) {
        try {
            return damage_at(path, [&] { return cursor.next(); });
        } catch (RepositoryError const& error) {
            if (!damaged || error.kind() != RepositoryFailure::corrupt) throw;
            damaged(error.what());
            return nullptr;
        }
    }
};

}  // namespace

SlotContent read_slot(Repository& repository, std::string const& name) {
    Bytes const object = get_whole(repository.store(), name, limits::object_size);
    Bytes content = repository.keys().open_object(ObjectKind::snapshot, name, object);
    if (!content.empty() && content[0] == std::byte{0})
        content = repository.keys().open_signed_object(ObjectKind::snapshot, name, object);
    return naming(name, [&] { return decode_slot(content); });
}

bool is_live(Repository& repository, SessionId const& id, GcState const& log) {
    // In this order: a collector removes a slot before its forget record.
    Backend& store = repository.store();
    return !has_forget(repository, id) && store.stat(names::snapshot(id)) &&
           !log.closed.contains(id);
}

bool is_given_up(Repository& repository, SessionId const& id) {
    // In this order: what closes a slot is written before its forget record is removed.
    std::vector<std::string> damaged;  // told by whoever asks for the log
    return has_forget(repository, id) || closed_slots(repository, damaged).contains(id);
}

void require_not_given_up(Repository& repository, SessionId const& id) {
    if (!is_given_up(repository, id)) return;
    throw not_there("snapshot " + id.hex().substr(0, 8) +
                    " was forgotten, and collected in part, while it was read");
}

// What a snapshot has taken the place of is given up, whether somebody came to say so or not: two
// that show one moment would each count as one for the rules of what to keep.
void leave_out_replaced(std::vector<NamedSnapshot>& snapshots) {
    std::set<SessionId> replaced;
    for (auto const& named : snapshots) {
        if (named.snapshot.was) replaced.insert(*named.snapshot.was);
    }
    std::erase_if(snapshots, [&](auto const& named) { return replaced.contains(named.id); });
}

SnapshotList list_snapshots(Repository& repository) {
    SnapshotList list;
    std::set<SessionId> given_up = read_forgets(repository, list.damaged);
    auto const slots = repository.store().list("snapshots/");
    // After the slots: one that was closed and removed may have been made again since.
    auto const closed = closed_slots(repository, list.damaged);
    given_up.insert(closed.begin(), closed.end());
    std::set<SessionId> read;
    for (auto const& object : slots) {
        use_listed(repository, object.name, list.damaged, [&] {
            auto const id = SessionId::parse(last_component(object.name));
            if (!id) throw corrupt(object.name + ": not a snapshot's name");
            list.slots.insert(*id);
            if (given_up.contains(*id)) return;
            auto slot = read_slot(repository, object.name);
            read.insert(*id);
            if (!slot.killed()) list.snapshots.push_back({*id, std::move(*slot.snapshot)});
        });
    }
    leave_out_replaced(list.snapshots);
    std::stable_sort(
        list.snapshots.begin(), list.snapshots.end(),
        [](auto const& a, auto const& b) { return a.snapshot.time_ns < b.snapshot.time_ns; });
    given_up.merge(read);
    remember_heads(repository, list, given_up, closed);
    return list;
}

std::vector<std::string> sources_of(Snapshot const& snapshot) {
    auto sources = snapshot.paths;
    sources.insert(sources.end(), snapshot.streams.begin(), snapshot.streams.end());
    return sources;
}

bool SnapshotFilter::matches(Snapshot const& snapshot) const {
    if (!host.empty() && snapshot.host != host) return false;
    for (auto const& path : paths) {
        if (std::find(snapshot.paths.begin(), snapshot.paths.end(), path) == snapshot.paths.end()) {
            return false;
        }
    }
    return tags.empty() || std::any_of(tags.begin(), tags.end(), [&](std::string const& tag) {
               return has_tags(snapshot, tag);
           });
}

FoundSnapshot find_snapshot(Repository& repository, std::string const& name,
                            SnapshotFilter const& filter) {
    return find_snapshot(list_snapshots(repository), name, filter);
}

namespace {

// Oldest first by what they show. One that a wrong clock made is not the latest until that day.
void order_by_what_they_show(std::vector<NamedSnapshot>& snapshots) {
    std::stable_sort(snapshots.begin(), snapshots.end(), [](auto const& a, auto const& b) {
        return shown_ns(a.snapshot) < shown_ns(b.snapshot);
    });
    std::int64_t const now = now_ns();
    auto const ahead =
        std::find_if(snapshots.begin(), snapshots.end(),
                     [&](NamedSnapshot const& named) { return is_ahead(named.snapshot, now); });
    if (ahead != snapshots.begin()) snapshots.erase(ahead, snapshots.end());
}

// Of a forget that cannot be read: whether what it would give up is gone, too.
bool is_of_no_slot(SnapshotList const& list, std::string const& message) {
    if (!message.starts_with("forgets/")) return false;
    auto const id = SessionId::parse(message.substr(8, 2 * SessionId::size));
    return id && !list.slots.contains(*id);
}

// An older one must not pass for the latest.
void require_all_slots(SnapshotList const& list) {
    for (auto const& message : list.damaged) {
        if (!message.starts_with("snapshots/") && !is_of_no_slot(list, message)) continue;
        throw corrupt(message +
                      "; it may be the latest snapshot, so name the one that you want "
                      "by its ID (`repo snapshots`)");
    }
}

}  // namespace

std::int64_t shown_ns(Snapshot const& snapshot) {
    return std::min(snapshot.time_ns, snapshot.started_ns);
}

bool is_ahead(Snapshot const& snapshot, std::int64_t now_ns) {
    constexpr std::int64_t hour_ns = 3600 * second_ns;
    return shown_ns(snapshot) > now_ns + hour_ns;
}

NamedSnapshot find_whole_snapshot(SnapshotList const& list, std::string const& name,
                                  SnapshotFilter const& filter) {
    auto found = find_snapshot(list, name, filter);
    if (found.sub_path.empty()) return {found.id, std::move(found.snapshot)};
    throw std::invalid_argument("\"" + name +
                                "\": only a whole snapshot can be meant here, without a path");
}

FoundSnapshot find_snapshot(SnapshotList const& list, std::string const& name,
                            SnapshotFilter const& filter) {
    std::size_t const colon = sub_path_colon(name);
    std::string const key = name.substr(0, colon);
    std::string sub_path = colon == std::string::npos ? "" : name.substr(colon + 1);
    if (sub_path == "/") sub_path.clear();
    bool const is_latest = key.starts_with("latest");
    std::vector<NamedSnapshot> candidates;
    if (is_latest) {
        require_all_slots(list);
        std::copy_if(list.snapshots.begin(), list.snapshots.end(), std::back_inserter(candidates),
                     [&](NamedSnapshot const& s) { return filter.matches(s.snapshot); });
        order_by_what_they_show(candidates);
    }
    try {
        NamedSnapshot const& found = resolve(is_latest ? candidates : list.snapshots, key);
        return {found.id, found.snapshot, sub_path};
    } catch (RepositoryError const& error) {
        if (list.damaged.empty()) throw;
        throw RepositoryError(
            RepositoryFailure::corrupt,
            std::string(error.what()) + " (and damaged: " + list.damaged[0] + ")");
    }
}

RepositoryError nothing_at(Snapshot const& snapshot, std::string const& path) {
    bool const is_relative = !path.starts_with('/') && !snapshot.paths.empty();
    std::string const hint =
        is_relative ? ": its paths begin with /, as in latest:" + snapshot.paths[0] : "";
    return not_there("the snapshot has nothing at \"" + path + "\"" + hint + "; see `repo ls`");
}

void walk_snapshot(Repository& repository, Snapshot const& snapshot, std::string const& path,
                   std::function<bool(std::string const&, Node const&)> const& visit,
                   std::function<void(std::string const&)> const& damaged) {
    with_index([&] {
        repository.refresh_index();
        ChunkReader reader(repository, tree_cache);
        auto const start = find_node(reader, snapshot.root, path);
        if (!start) throw nothing_at(snapshot, path);
        std::string clean = path;
        while (clean.ends_with('/')) clean.pop_back();
        if (!clean.empty() && !clean.starts_with('/')) clean = "/" + clean;
        Walk{reader, visit, damaged, EntryCount(snapshot.statistics), clean}.enter(*start, 0);
    });
}

}  // namespace coffre
