// What a snapshot warns of although nothing failed.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "cli/context.h"
#include "engine/snapshot.h"

namespace coffre::cli {

// Of sources that share a file system with the repository, when the user asks for more messages.
void warn_of_same_disk(GlobalOptions const& options, std::vector<std::string> const& beside);

// The same for the paths that are given. True when one does, so that there is no reason to look for
// more. Throws RepositoryError when that is to be an error.
bool look_at_file_systems(GlobalOptions const& options, bool require_offsite,
                          std::vector<std::string> const& paths);

// Of paths that are links, unless what they lead to is saved, too.
void warn_of_links(GlobalOptions const& options, std::vector<std::string> const& paths);

// Of what is left out, or saved, otherwise than the exclusions say.
void warn_of_exclusions(GlobalOptions const& options, SnapshotResult const& result);

}  // namespace coffre::cli
