// What a call of the system could not do to a file that is restored.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cerrno>
#include <optional>
#include <string>

#include "engine/error.h"
#include "engine/util/fd.h"

namespace coffre {

// Throws "cannot <doing>: <the text of errno>".
[[noreturn]] inline void fail(std::string const& path, std::string const& doing) {
    throw SourceError(path, "cannot " + doing + ": " + errno_text());
}

// The same of what takes room in the target. Throws NoRoomError when there is none.
[[noreturn]] inline void fail_to_store(std::string const& path, std::string const& doing) {
    bool const is_full = errno == ENOSPC || errno == EDQUOT;
    if (is_full) throw NoRoomError(path, "cannot " + doing + ": " + errno_text());
    fail(path, doing);
}

// Does one thing after the other, whatever fails: the first failure is thrown at the end.
class Attempts {
public:
    // `path` outlives this.
    explicit Attempts(std::string const& path) : path_(path) {}

    // False when it has failed.
    template <class Action>
    bool attempt(Action const& action) {
        try {
            action();
            return true;
        } catch (SourceError const& error) {
            if (!first_) first_.emplace(path_, error.what());
            return false;
        }
    }
    void finish() const {
        if (first_) throw *first_;
    }

private:
    std::string const& path_;
    std::optional<SourceError> first_;
};

}  // namespace coffre
