// The two ways to fail: a source that cannot be read, and a repository that cannot be trusted.
// They do not convert: the first may be skipped and listed, the second always ends the command.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <stdexcept>
#include <string>
#include <type_traits>

#include "format/error.h"

namespace coffre {

// Something to be saved could not be read, or something to be restored could not be written.
class SourceError : public std::runtime_error {
public:
    SourceError(std::string path, std::string const& message)
        : std::runtime_error(message), path_(std::move(path)) {}
    std::string const& path() const { return path_; }

private:
    std::string path_;
};

// A file system of this machine is full: what comes next would fail as well.
class NoRoomError : public SourceError {
public:
    using SourceError::SourceError;
};

enum class RepositoryFailure {
    failed,         // anything without a code of its own
    denied,         // an object is there that this user may not read
    not_found,      // no repository there
    unusable,       // newer format
    fenced,         // the session was ended by a collector
    wrong_key,      // wrong passphrase or key file
    config_lost,    // without its object "config", or with a damaged one, nothing can be opened
    corrupt,        // not the bytes that were written
    no_space,       // the storage is full
    stream_failed,  // a stream's command failed
    rolled_back,    // older than what this machine has seen
    interrupted,    // the user stopped it
};

class RepositoryError : public std::runtime_error {
public:
    RepositoryError(RepositoryFailure kind, std::string const& message)
        : std::runtime_error(message), kind_(kind) {}
    RepositoryFailure kind() const { return kind_; }

private:
    RepositoryFailure kind_;
};

// Whether it is one object that cannot be used: everything else can be looked at all the same.
inline bool is_of_one_object(RepositoryFailure failure) {
    return failure == RepositoryFailure::corrupt || failure == RepositoryFailure::unusable ||
           failure == RepositoryFailure::denied;
}

// Whether it is an object that this program could use if it were whole, or this user might read it.
inline bool is_unreadable(RepositoryFailure failure) {
    return failure == RepositoryFailure::corrupt || failure == RepositoryFailure::denied;
}

// For what the repository stores and is not what was written; the message names the object.
inline RepositoryError corrupt(std::string const& message) {
    return {RepositoryFailure::corrupt, message};
}

// Returns what `action` returns. Damage that it meets becomes damage at `path` of a snapshot.
template <class Action>
std::invoke_result_t<Action> damage_at(std::string const& path, Action const& action) {
    try {
        return action();
    } catch (RepositoryError const& error) {
        if (error.kind() != RepositoryFailure::corrupt) throw;
        throw corrupt((path.empty() ? "/" : path) + ": " + error.what());
    }
}

// Returns what `action` returns. What a decoder throws in it becomes an error that names `object`.
template <class Action>
std::invoke_result_t<Action> naming(std::string const& object, Action const& action) {
    try {
        return action();
    } catch (UnsupportedFormat const& error) {
        throw RepositoryError(RepositoryFailure::unusable, object + ": " + error.what());
    } catch (FormatError const& error) {
        throw corrupt(object + ": " + error.what());
    }
}

}  // namespace coffre
