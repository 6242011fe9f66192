// fsync, linkat and unlinkat of this program: fail when told to, as a disk or a server makes them.
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace coffre::proof {

enum class SystemCall { sync, link, unlink };

// The `count`-th of these calls from now on fails with this errno, once; the others are made.
void fail_system_call(SystemCall call, int count, int error);
// None fails any more. True when one did.
bool stop_failing_system_calls();

}  // namespace coffre::proof
