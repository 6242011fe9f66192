#include "engine/patterns.h"

#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <set>
#include <span>
#include <stdexcept>

#include "engine/utf8.h"
#include "engine/util/paths.h"

namespace coffre {

namespace {

using Components = std::span<std::string const>;

constexpr int first_byte = 0x80;  // that is no character of its own

bool bytes_match(std::string const& pattern, std::string const& name) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

using Characters = std::vector<std::string>;

Characters characters_of(std::string const& text) {
    Characters characters;
    for (std::size_t at = 0; at < text.size(); at += characters.back().size()) {
        characters.push_back(text.substr(at, utf8_length(text, at)));
    }
    return characters;
}

// A byte for each character: those of several bytes are numbered in their order.
std::string with_numbers(Characters const& characters, std::set<std::string> const& longer) {
    std::string bytes;
    for (auto const& character : characters) {
        auto const number = std::distance(longer.begin(), longer.lower_bound(character));
        bytes += character.size() == 1 ? character[0] : static_cast<char>(first_byte + number);
    }
    return bytes;
}

bool is_ascii(std::string const& text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < first_byte; });
}

bool characters_match(std::string const& pattern, std::string const& name) {
    auto const of_pattern = characters_of(pattern);
    auto const of_name = characters_of(name);
    std::set<std::string> longer;
    for (auto const* all : {&of_pattern, &of_name}) {
        std::copy_if(all->begin(), all->end(), std::inserter(longer, longer.end()),
                     [](std::string const& character) { return character.size() > 1; });
    }
    if (longer.size() > 0x100 - first_byte) return bytes_match(pattern, name);
    return bytes_match(with_numbers(of_pattern, longer), with_numbers(of_name, longer));
}

// `?` and `[ab]` stand for a character; in names that are not UTF-8, for a byte.
bool component_matches(std::string const& pattern, std::string const& name) {
    bool const may_differ = pattern.find_first_of("?[") != std::string::npos &&
                            !(is_ascii(pattern) && is_ascii(name)) && is_utf8(pattern) &&
                            is_utf8(name);
    return may_differ ? characters_match(pattern, name) : bytes_match(pattern, name);
}

// The places in a pattern that some way through a path has reached: no pattern takes more time than
// its length times the path's.
class Reached {
public:
    explicit Reached(Components pattern) : pattern_(pattern), at_(pattern.size() + 1, false) {
        at_[0] = true;
        skip_stars();
    }
    void step(std::string const& name) {
        std::vector<bool> next(at_.size(), false);
        for (std::size_t i = 0; i < pattern_.size(); ++i) {
            if (!at_[i]) continue;
            if (pattern_[i] == "**") {
                next[i] = true;
            } else if (component_matches(pattern_[i], name)) {
                next[i + 1] = true;
            }
        }
        at_ = std::move(next);
        skip_stars();
    }
    bool end() const { return at_.back(); }
    bool somewhere_before_the_end() const {
        return std::any_of(at_.begin(), at_.end() - 1, [](bool reached) { return reached; });
    }

private:
    void skip_stars() {
        for (std::size_t i = 0; i < pattern_.size(); ++i) {
            if (at_[i] && pattern_[i] == "**") at_[i + 1] = true;
        }
    }

    Components pattern_;
    std::vector<bool> at_;
};

Reached walk_through(Components pattern, Components path) {
    Reached reached(pattern);
    for (auto const& name : path) reached.step(name);
    return reached;
}

bool has_wildcards(std::string const& component) {
    return component.find_first_of("*?[\\") != std::string::npos;
}

// Of '[' that a backslash does not make a letter.
std::size_t find_bracket(std::string const& pattern) {
    for (std::size_t at = 0; at < pattern.size(); ++at) {
        if (pattern[at] == '[') return at;
        if (pattern[at] == '\\') ++at;
    }
    return std::string::npos;
}

void require_closed_brackets(std::string const& pattern) {
    std::size_t const open = find_bracket(pattern);
    if (open != std::string::npos && pattern.find(']', open + 2) == std::string::npos) {
        throw std::invalid_argument("pattern \"" + pattern + "\": '[' is not closed");
    }
}

}  // namespace

void PatternList::add(std::string const& text) {
    Pattern pattern;
    std::string rest = text;
    if (rest.starts_with('!')) {
        pattern.negated = true;
        rest = rest.substr(1);
    }
    require_closed_brackets(rest);
    pattern.anchored = rest.starts_with('/');
    pattern.components = components_of(rest);
    std::erase(pattern.components, ".");
    if (pattern.components.empty()) {
        throw std::invalid_argument("pattern \"" + text + "\" names nothing");
    }
    for (auto const& component : pattern.components) {
        if (component == "..")
            throw std::invalid_argument("pattern \"" + text + "\": no path has \"..\" in it");
    }
    // What lies beneath, not the folder itself.
    if (pattern.components.back() == "**") pattern.components.emplace_back("*");
    if (!pattern.anchored) pattern.components.insert(pattern.components.begin(), "**");
    pattern.is_last_literal = !has_wildcards(pattern.components.back());
    patterns_.push_back(std::move(pattern));
}

bool PatternList::may_end_at(Pattern const& pattern, std::string const& name) {
    std::string const& last = pattern.components.back();
    return pattern.is_last_literal ? last == name : component_matches(last, name);
}

bool PatternList::is_about(Pattern const& pattern, std::vector<std::string> const& path) {
    if (!pattern.negated) return matches_all(pattern, path);
    auto const may_be = [&](std::string const& name) { return may_end_at(pattern, name); };
    if (std::none_of(path.begin(), path.end(), may_be)) return false;
    Reached reached(pattern.components);
    return std::any_of(path.begin(), path.end(), [&](std::string const& name) {
        reached.step(name);
        return reached.end();
    });
}

// Most patterns are ruled out by the name alone.
bool PatternList::matches_all(Pattern const& pattern, std::vector<std::string> const& path) {
    return !path.empty() && may_end_at(pattern, path.back()) &&
           walk_through(pattern.components, path).end();
}

std::optional<bool> PatternList::decide(std::string const& path, std::string const& other) const {
    auto const components = components_of(path);
    auto const others = path == other ? components : components_of(other);
    auto const deciding = std::find_if(patterns_.rbegin(), patterns_.rend(), [&](Pattern const& p) {
        return is_about(p, components) || (path != other && is_about(p, others));
    });
    if (deciding == patterns_.rend()) return std::nullopt;
    return !deciding->negated;
}

bool PatternList::may_match_beneath(std::string const& path) const {
    auto const components = components_of(path);
    return std::any_of(patterns_.begin(), patterns_.end(), [&](Pattern const& p) {
        return !p.negated && walk_through(p.components, components).somewhere_before_the_end();
    });
}

}  // namespace coffre
