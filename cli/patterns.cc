#include "cli/patterns.h"

#include <filesystem>
#include <stdexcept>

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

bool is_of_working_folder(std::string const& pattern) {
    return pattern.starts_with("./") || pattern.starts_with("!./");
}

// "!./a" as "!FOLDER/a".
std::string anchored(std::string const& pattern, std::string const& folder) {
    std::size_t const dot = pattern.find('.');
    return pattern.substr(0, dot) + without_wildcards(folder) + pattern.substr(dot + 1);
}

std::filesystem::path working_folder(std::string const& pattern) {
    std::error_code gone;
    auto folder = std::filesystem::current_path(gone);
    if (gone) {
        throw std::invalid_argument("pattern \"" + pattern +
                                    "\": the working folder: " + gone.message());
    }
    return folder;
}

}  // namespace

void add_pattern(PatternList& patterns, std::string const& pattern) {
    patterns.add(is_of_working_folder(pattern) ? anchored(pattern, working_folder(pattern))
                                               : pattern);
}

void add_restore_pattern(PatternList& patterns, std::string const& pattern,
                         std::string const& target) {
    add_pattern(patterns, pattern);
    if (!is_of_working_folder(pattern)) return;
    std::error_code absent;
    auto const here = working_folder(pattern).lexically_relative(
        std::filesystem::weakly_canonical(target, absent));
    if (here.empty() || *here.begin() == "..") return;
    patterns.add(anchored(pattern, here == "." ? "" : "/" + here.string()));
}

}  // namespace coffre::cli
