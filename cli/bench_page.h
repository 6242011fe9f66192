// A page to look at, complete in itself.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/bench.h"

namespace coffre::cli {

// The report as HTML with a bar chart in SVG. `title` may hold any bytes.
std::string bench_page(BenchReport const& report, std::string const& title);

}  // namespace coffre::cli
