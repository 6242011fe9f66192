#include "cli/words.h"

#include <algorithm>
#include <set>

namespace coffre::cli {

namespace {

// Stands before a word that the parser would split, or take for an option or a command.
constexpr char mark = '\1';

bool needs_mark(std::string const& word) {
    bool const would_be_split = word.starts_with('[') && word.ends_with(']');
    return would_be_split || word.starts_with(mark);
}

std::string without_mark(std::string const& word) {
    return word.starts_with(mark) ? word.substr(1) : word;
}

bool may_be_empty(CLI::Option const& option) {
    // Those of patterns have something better to say.
    static std::set<std::string> const names{"--tag", "--keep-tag", "--group-by", "--include",
                                             "--exclude"};
    return option.get_positional() || names.contains(option.get_name());
}

}  // namespace

std::vector<std::string> words_of(int argc, char const* const* argv) {
    std::vector<std::string> words;
    bool are_options_over = false;
    for (int i = 1; i < argc; ++i) {
        std::string word = argv[i];
        if (!are_options_over && word == "--") {
            are_options_over = true;
            continue;
        }
        bool const is_empty_value = !are_options_over && word.size() > 3 &&
                                    word.starts_with("--") && word.find('=') == word.size() - 1;
        if (is_empty_value) word.pop_back();
        if (are_options_over || needs_mark(word)) word.insert(word.begin(), mark);
        words.push_back(std::move(word));
        if (is_empty_value) words.emplace_back();
    }
    std::reverse(words.begin(), words.end());
    return words;
}

std::size_t words_after_dashes(int argc, char const* const* argv) {
    auto const* const end = argv + argc;
    auto const* const dashes =
        std::find_if(argv, end, [](char const* word) { return std::string_view(word) == "--"; });
    return dashes == end ? 0 : static_cast<std::size_t>(end - dashes - 1);
}

std::string readable(std::string message) {
    std::erase(message, mark);
    return message;
}

void restrict_options(CLI::App& app) {
    auto const is_given = [](std::string const& value) {
        return value.empty() ? "its value is empty" : "";
    };
    for (auto* const option : app.get_options()) {
        if (option->get_items_expected_max() == 0) continue;  // a flag
        if (!option->get_positional()) option->allow_extra_args(false);
        option->transform(without_mark);
        if (!may_be_empty(*option)) option->check(is_given);
    }
    for (auto* const command : app.get_subcommands({})) restrict_options(*command);
}

}  // namespace coffre::cli
