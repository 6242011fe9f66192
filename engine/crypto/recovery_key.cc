#include "engine/crypto/recovery_key.h"

#include <array>
#include <optional>

#include "engine/crypto/hash.h"

namespace coffre {

namespace {

// Source: Douglas Crockford, "Base 32". Without I, L, O and U.
constexpr std::string_view digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t random_digits = 26;
constexpr std::size_t all_digits = 28;
constexpr std::size_t group = 4;

std::string checksum(std::string_view first) {
    std::uint64_t const sum = xxh3(as_bytes(first));
    return {digits[sum % 32], digits[sum / 32 % 32]};
}

std::optional<char> digit_of(char typed) {
    char upper = typed;
    if (typed >= 'a' && typed <= 'z') upper = static_cast<char>(typed - 'a' + 'A');
    if (upper == 'O') upper = '0';
    if (upper == 'I' || upper == 'L') upper = '1';
    return digits.find(upper) == std::string_view::npos ? std::nullopt : std::optional(upper);
}

// The digits alone; nothing for what cannot be a recovery key.
std::optional<std::string> digits_of(std::string const& typed) {
    std::string found;
    for (char const c : typed) {
        if (c == '-' || c == ' ') continue;
        auto const digit = digit_of(c);
        if (!digit) return std::nullopt;
        found.push_back(*digit);
    }
    return found.size() == all_digits ? std::optional(found) : std::nullopt;
}

bool has_checksum(std::string const& key) {
    return key.substr(random_digits) == checksum(std::string_view(key).substr(0, random_digits));
}

std::string grouped(std::string const& key) {
    std::string text;
    for (std::size_t at = 0; at < key.size(); at += group) {
        if (at > 0) text += '-';
        text += key.substr(at, group);
    }
    return text;
}

}  // namespace

std::string random_recovery_key() {
    std::array<std::byte, random_digits> random{};
    fill_random(random);
    std::string key;
    for (auto const byte : random) key.push_back(digits[std::to_integer<std::size_t>(byte) % 32]);
    wipe(random);
    return grouped(key + checksum(key));
}

std::string as_recovery_key(std::string const& typed) {
    auto const key = digits_of(typed);
    return key && has_checksum(*key) ? grouped(*key) : typed;
}

bool is_mistyped_recovery_key(std::string const& typed) {
    auto const key = digits_of(typed);
    return key && !has_checksum(*key);
}

}  // namespace coffre
