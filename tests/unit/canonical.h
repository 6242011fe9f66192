// What every decoder must do: give back what was encoded, and take no second spelling of it.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <type_traits>
#include <vector>

#include "format/error.h"
#include "format/id.h"

namespace coffre {

// `decode` gives a value or throws FormatError; `encode` gives that value's bytes.
template <class Decode, class Encode>
std::optional<Bytes> encoded_again(ByteView bytes, Decode const& decode, Encode const& encode) {
    try {
        return encode(decode(bytes));
    } catch (FormatError const&) {
        return std::nullopt;
    }
}

// `bytes` round-trips; shorter and longer bytes are refused; with any one bit flipped they are
// refused, or they are the encoding of another value.
template <class Decode, class Encode>
void expect_canonical(Bytes const& bytes, Decode const& decode, Encode const& encode) {
    ASSERT_EQ(encode(decode(ByteView(bytes))), bytes);
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_THROW(decode(ByteView(bytes).first(size)), FormatError) << "cut to " << size;
    }
    Bytes longer = bytes;
    longer.push_back(std::byte{0});
    EXPECT_THROW(decode(ByteView(longer)), FormatError) << "one byte too many";
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        Bytes flipped = bytes;
        flipped[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        auto const again = encoded_again(flipped, decode, encode);
        EXPECT_TRUE(!again || *again == flipped) << "bit " << bit << " of " << to_hex(bytes);
    }
}

template <class Value>
using Changes = std::vector<void (*)(Value&)>;

// Each of `changes` makes another value of `value`, which comes back from its bytes: neither the
// encoding nor the comparison, on which every round trip rests, leaves a field out.
template <class Value, class Decode, class Encode>
void expect_keeps_each(Value const& value, std::type_identity_t<Changes<Value>> const& changes,
                       Decode const& decode, Encode const& encode) {
    for (std::size_t i = 0; i < changes.size(); ++i) {
        Value changed = value;
        changes[i](changed);
        EXPECT_FALSE(changed == value) << "change " << i;
        EXPECT_TRUE(decode(encode(changed)) == changed) << "change " << i;
    }
}

// The message of the FormatError that `action` throws; empty when it throws none.
template <class Action>
std::string format_error(Action const& action) {
    try {
        action();
    } catch (FormatError const& error) {
        return error.what();
    }
    return "";
}

}  // namespace coffre
