// Faults that the tests must notice, one at a time, in builds that are made for this alone.
//
// tests/mutants.sh switches each on and expects its tests to fail. Other builds know none.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>

#ifdef COFFRE_MUTANTS
#include <cstdlib>
#endif

namespace coffre {

#ifdef COFFRE_MUTANTS
inline bool mutant(std::string_view name) {
    static char const* const chosen = std::getenv("COFFRE_MUTANT");
    return chosen != nullptr && name == chosen;
}
#else
constexpr bool mutant(std::string_view) {
    return false;
}
#endif

}  // namespace coffre
