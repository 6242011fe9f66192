// Words in a text.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace coffre {

// What stands between the commas: "a,,b" has an empty word, "" is one empty word.
inline std::vector<std::string> split_at_commas(std::string_view text) {
    std::vector<std::string> words;
    for (;;) {
        std::size_t const comma = text.find(',');
        words.emplace_back(text.substr(0, comma));
        if (comma == std::string_view::npos) return words;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace coffre
