// The way in: making and opening a repository.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "engine/error.h"
#include "format/config.h"

namespace coffre {

class Backend;
class Repository;

// What proves the right to open a repository. Both may be given: then either may fit.
struct Credentials {
    std::optional<std::string> passphrase;
    std::optional<std::string> key_file;  // path of a file of 32 bytes

    bool empty() const { return !passphrase && !key_file; }
};

enum class KdfStrength { standard, strong };  // 64 MiB and 3 passes; 1 GiB and 4 passes

struct InitOptions {
    Mode mode = Mode::encrypted;
    KdfStrength kdf = KdfStrength::standard;
    ChunkerSizes chunker;
};

struct OpenOptions {
    std::string cache_folder;  // holds the index and what this machine has seen; made if absent
    bool accept_rollback =
        false;  // the repository may be older than it was: that is forgotten then
    // Told of damage that does not stop a command by itself, once for each object; may be empty.
    std::function<void(std::string const& message)> warn = {};
    bool report_rollback = false;  // go on, for a check that tells what is missing
};

// Makes a repository in the folder `location` (absent or empty; its parent exists) with a key slot
// for each of the credentials. A key file that does not exist is made, with 32 random bytes. A file
// of 4 MiB keeps room for the day when the disk is full.
// Throws RepositoryError; whatever happens, there is a whole repository at the end or none.
std::shared_ptr<Repository> init_repository(std::string const& location, InitOptions const& init,
                                            Credentials const& credentials,
                                            OpenOptions const& options);

// Throws RepositoryError{not_found, wrong_key, unusable, rolled_back, config_lost, corrupt}.
std::shared_ptr<Repository> open_repository(std::string const& location,
                                            Credentials const& credentials,
                                            OpenOptions const& options);

// The same on any store.
std::shared_ptr<Repository> init_repository(std::shared_ptr<Backend> const& store,
                                            InitOptions const& init, Credentials const& credentials,
                                            OpenOptions const& options);
std::shared_ptr<Repository> open_repository(std::shared_ptr<Backend> store,
                                            Credentials const& credentials,
                                            OpenOptions const& options);

// How the repository in the folder `location` says it is protected, before any key is asked for.
// Throws RepositoryError{not_found, unusable, config_lost}.
Mode repository_mode_at(std::string const& location);

RepositoryId const& repository_id(Repository const& repository);
Mode repository_mode(Repository const& repository);

}  // namespace coffre
