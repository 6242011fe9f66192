// A repository's status in the text format of Prometheus.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/status.h"

namespace coffre::cli {

// Names and meaning: docs/scripting.md, section "Metrics".
std::string metrics_text(RepositoryStatus const& status);

// The file holds `text` or what it held before; who reads it meanwhile sees one of the two. Throws
// SourceError.
void replace_metrics(std::string const& path, std::string const& text);

}  // namespace coffre::cli
