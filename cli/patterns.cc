#include "cli/patterns.h"

#include <filesystem>

namespace coffre::cli {

namespace {

std::string without_wildcards(std::string const& path) {
    std::string text;
    for (char const c : path) {
        if (std::string_view("*?[\\").find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

struct Parts {
    std::string negation;
    std::string rest;
    bool is_here;  // begins with "./"
};

Parts parts_of(std::string const& pattern) {
    std::string const negation = pattern.starts_with('!') ? "!" : "";
    std::string const rest = pattern.substr(negation.size());
    return {negation, rest, rest.starts_with("./")};
}

}  // namespace

void add_pattern(PatternList& patterns, std::string const& pattern) {
    auto const [negation, rest, is_here] = parts_of(pattern);
    if (!is_here) return patterns.add(pattern);
    patterns.add(negation + without_wildcards(std::filesystem::current_path()) + rest.substr(1));
}

void add_restore_pattern(PatternList& patterns, std::string const& pattern,
                         std::string const& target) {
    add_pattern(patterns, pattern);
    auto const [negation, rest, is_here] = parts_of(pattern);
    if (!is_here) return;
    std::error_code absent;
    auto const here = std::filesystem::current_path().lexically_relative(
        std::filesystem::weakly_canonical(target, absent));
    if (here.empty() || *here.begin() == "..") return;
    std::string const inner = here == "." ? "" : "/" + without_wildcards(here);
    patterns.add(negation + inner + rest.substr(1));
}

}  // namespace coffre::cli
