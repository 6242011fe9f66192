#include "cli/suggest.h"

#include <algorithm>
#include <map>

namespace coffre::cli {

namespace {

std::vector<std::string> commands_of(CLI::App const& app) {
    std::vector<std::string> names;
    for (auto const* const command : app.get_subcommands({})) names.push_back(command->get_name());
    return names;
}

void append_options(std::vector<std::string>& names, CLI::App const& app) {
    for (auto const* const option : app.get_options()) {
        for (auto const& name : option->get_lnames()) names.push_back("--" + name);
    }
}

// The command that was chosen, as deep as words were known.
CLI::App const& chosen(CLI::App const& app) {
    auto const chosen_here = app.get_subcommands();
    return chosen_here.empty() ? app : chosen(*chosen_here.front());
}

std::string unknown_option(CLI::App const& app, std::string const& word) {
    std::vector<std::string> options;
    append_options(options, app);
    append_options(options, chosen(app));
    std::string const name = word.substr(0, word.find('='));
    std::string const meant = nearest(name, options);
    if (meant == name) return name + " belongs after the command";
    return "no such option: " + name + (meant.empty() ? "" : "; did you mean " + meant + "?");
}

std::string no_such_command(CLI::App const& app, std::string const& word) {
    std::string const meant = nearest(word, commands_of(app));
    return "no such command: " + word + (meant.empty() ? "" : "; did you mean " + meant + "?");
}

std::string unknown_command(CLI::App const& app, std::string const& word) {
    // As other backup programs call them.
    static std::map<std::string, std::string> const elsewhere{
        {"unlock", "there are no locks"},
        {"mount",
         "`ls`, `find` and `dump` show what is in a snapshot, `restore --include` takes it "
         "out"},
        {"create", "did you mean snapshot?"},
        {"extract", "did you mean restore?"},
        {"list", "did you mean snapshots, ls or `key list`?"},
        {"info", "did you mean status?"},
        {"delete", "did you mean forget?"},
        {"compact", "did you mean prune?"},
        {"rebuild-index", "did you mean repair?"},
        {"recover", "did you mean repair, or `forget --undo`?"}};
    auto const known = elsewhere.find(word);
    return known != elsewhere.end() ? "no such command: " + word + "; " + known->second
                                    : no_such_command(app, word);
}

}  // namespace

std::size_t edit_distance(std::string const& a, std::string const& b) {
    std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
    for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
    for (std::size_t i = 1; i <= a.size(); ++i) {
        for (std::size_t j = 1; j <= b.size(); ++j) {
            std::size_t const replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
            d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
            bool const is_swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swapped) d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
        }
    }
    return d[a.size()][b.size()];
}

std::string nearest(std::string const& word, std::vector<std::string> const& words) {
    std::size_t best = word.size() < 5 ? 2 : 3;  // must be nearer than this
    std::string found;
    for (auto const& candidate : words) {
        std::size_t const distance = edit_distance(word, candidate);
        if (distance >= best) continue;
        best = distance;
        found = candidate;
    }
    return found;
}

std::string unknown_word(CLI::App const& app) {
    CLI::App const& command = chosen(app);
    bool const takes_command = command.get_require_subcommand_min() > 0;
    for (auto const& word : app.remaining(true)) {
        bool const is_option = word.size() > 1 && word[0] == '-' && word != "--";
        if (is_option) return unknown_option(app, word);
        if (takes_command && &command == &app) return unknown_command(app, word);
        if (takes_command) return no_such_command(command, word);
    }
    return "";
}

}  // namespace coffre::cli
