// Numbers as they are typed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace coffre::cli {

// Nothing when not all of `text` is a number, or it does not fit.
template <class Number>
std::optional<Number> number_in(std::string_view text) {
    Number number{};
    char const* const text_end = text.data() + text.size();
    auto const [end, error] = std::from_chars(text.data(), text_end, number);
    return error == std::errc{} && end == text_end ? std::optional(number) : std::nullopt;
}

}  // namespace coffre::cli
