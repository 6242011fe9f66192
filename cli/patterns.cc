#include "cli/patterns.h"

#include <filesystem>
#include <optional>

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

// "!./a" as "!FOLDER/a"; nothing for what does not begin with "./".
std::optional<std::string> anchored(std::string const& pattern, std::string const& folder) {
    std::string const negation = pattern.starts_with('!') ? "!" : "";
    std::string const rest = pattern.substr(negation.size());
    if (!rest.starts_with("./")) return std::nullopt;
    return negation + without_wildcards(folder) + rest.substr(1);
}

}  // namespace

void add_pattern(PatternList& patterns, std::string const& pattern) {
    patterns.add(anchored(pattern, std::filesystem::current_path()).value_or(pattern));
}

void add_restore_pattern(PatternList& patterns, std::string const& pattern,
                         std::string const& target) {
    add_pattern(patterns, pattern);
    std::error_code absent;
    auto const here = std::filesystem::current_path().lexically_relative(
        std::filesystem::weakly_canonical(target, absent));
    if (here.empty() || *here.begin() == "..") return;
    auto const there = anchored(pattern, here == "." ? "" : "/" + here.string());
    if (there) patterns.add(*there);
}

}  // namespace coffre::cli
