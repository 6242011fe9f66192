// What `repo prune` and `repo forget --prune` share.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "cli/context.h"
#include "engine/prune.h"

namespace coffre::cli {

struct PruneArguments {
    std::string max_unused = "5%";
    std::string max_repack_size;
    std::string time_budget;
    std::string compression = "auto";
    bool dry_run = false;
};

inline constexpr char const* prune_group = "Prune";
// In that group.
void add_prune_options(CLI::App& command, PruneArguments& arguments);

// Throws std::invalid_argument.
PruneRequest prune_request(GlobalOptions const& options, PruneArguments const& arguments);

// Returns the exit code.
int run_prune(GlobalOptions const& options, Repository& repository, PruneRequest request);

}  // namespace coffre::cli
