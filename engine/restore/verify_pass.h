// The last pass of a restore, where one asks for it: reads every file back and compares.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/restore/context.h"

namespace coffre {

class VerifyPass {
public:
    // `context` outlives this.
    explicit VerifyPass(RestoreContext& context);
    void run();

private:
    void verify(std::string const& path, Node const& node);

    RestoreContext& context_;
    std::set<std::string> known_;  // not restored, and said so
    Bytes buffer_;
};

}  // namespace coffre
