#include "engine/maintain/tree_check.h"

#include "engine/crypto/hash.h"
#include "format/limits.h"

namespace coffre {

namespace {

constexpr std::size_t most_seen = 500'000;

Digest identity(Node const& node) {
    Writer out;
    write_content(out, node.content);
    out.id(node.digest);
    Blake3 hasher;
    hasher.update(out.view());
    return hasher.digest();
}

}  // namespace

TreeCheck::TreeCheck(ChunkReader& reader, Test test, OnHurt on_hurt, Shared shared,
                     Progress& progress)
    : reader_(reader),
      test_(std::move(test)),
      on_hurt_(std::move(on_hurt)),
      shared_(shared),
      progress_(progress) {}

void TreeCheck::check(NamedSnapshot const& named) {
    snapshot_ = &named;
    path_.clear();
    // What is walked again for each snapshot could else be more than any disk holds.
    if (shared_ == Shared::each) entries_.emplace(named.snapshot.statistics);
    check_node(named.snapshot.root, 0);
}

bool TreeCheck::check_node(Node const& node, std::size_t depth) {
    progress_.check_stop();
    if (!node.is_file() && !node.is_directory()) return true;
    std::size_t const path_size = path_.size();
    try {
        if (node.is_directory()) return check_directory(node, depth);
        check_file(node);
        return true;
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        path_.resize(path_size);
        on_hurt_({*snapshot_, path_, node.kind, error.what()});
        return false;
    }
}

void TreeCheck::check_file(Node const& node) {
    ++files_;
    ++progress_.files;
    ContentCursor chunks(reader_, node.content);
    std::vector<Recipe> entered;
    chunks.skip_known([&](ListEntry const& recipe, std::uint8_t level) {
        auto const [seen, is_new] = seen_recipes_.insert({recipe.id, recipe.weight, level});
        if (is_new) entered.push_back(*seen);
        return !is_new;
    });
    try {
        while (auto const entry = chunks.next()) {
            if (seen_.contains(entry->id)) continue;
            test_(reader_, entry->id);
            remember(entry->id);
        }
    } catch (RepositoryError const&) {
        // Another file that holds them is hurt, too.
        for (auto const& recipe : entered) seen_recipes_.erase(recipe);
        throw;
    }
}

// Forgetting them costs look-ups, keeping all of them more memory than a check may take.
void TreeCheck::remember(ChunkId const& chunk) {
    if (seen_.size() >= most_seen) seen_.clear();
    seen_.insert(chunk);
}

// A directory that was checked under another name or snapshot is not entered again.
bool TreeCheck::check_directory(Node const& node, std::size_t depth) {
    if (depth >= limits::tree_depth) throw corrupt("nested too deeply");
    if (node.content.entries.empty()) return check_entries(node, depth);
    Digest const which = identity(node);
    if (shared_ == Shared::once) {
        return !seen_directories_.insert(which).second || check_entries(node, depth);
    }
    if (seen_directories_.contains(which)) return true;
    bool const is_whole = check_entries(node, depth);
    if (is_whole) seen_directories_.insert(which);
    return is_whole;
}

bool TreeCheck::check_entries(Node const& node, std::size_t depth) {
    ++directories_;
    bool is_whole = true;
    Blake3 digest;
    std::size_t const path_size = path_.size();
    DirectoryCursor cursor(reader_, node.content);
    while (Node const* const child = cursor.next()) {
        if (entries_) entries_->add();
        Writer form;
        write_digest_form(form, *child);
        digest.update(form.view());
        path_.append("/").append(child->name);
        if (!check_node(*child, depth + 1)) is_whole = false;
        path_.resize(path_size);
    }
    if (digest.digest() != node.digest) throw corrupt("the directory's digest differs");
    return is_whole;
}

}  // namespace coffre
