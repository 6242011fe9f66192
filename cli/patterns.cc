#include "cli/patterns.h"

#include <filesystem>

namespace coffre::cli {

std::string without_wildcards(std::string const& path) {
    std::string text;
    for (char const c : path) {
        if (std::string_view("*?[\\").find(c) != std::string_view::npos) text += '\\';
        text += c;
    }
    return text;
}

void add_pattern(PatternList& patterns, std::string const& pattern) {
    std::string const negation = pattern.starts_with('!') ? "!" : "";
    std::string const rest = pattern.substr(negation.size());
    if (!rest.starts_with("./")) return patterns.add(pattern);
    patterns.add(negation + without_wildcards(std::filesystem::current_path()) + rest.substr(1));
}

}  // namespace coffre::cli
