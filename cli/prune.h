// What `repo prune` and `repo forget --prune` share.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "cli/context.h"
#include "engine/prune.h"

namespace coffre::cli {

struct PruneArguments {
    PruneRequest request;
    std::string max_unused = "5%";
    std::string max_repack_size;
    std::string time_budget;
    std::string compression = "auto";
};

void add_prune_options(CLI::App& command, PruneArguments& arguments);

// Returns the exit code.
int run_prune(GlobalOptions const& options, Repository& repository, PruneArguments& arguments);

}  // namespace coffre::cli
