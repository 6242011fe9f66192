// Turns memory faults in a mapped file that was damaged into exceptions.
//
// LMDB follows the numbers on its pages without looking: wrong ones end in SIGSEGV, a file cut
// short in SIGBUS, and its own assertions in abort(). The index is disposable, so none of them may
// end the program. SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <lmdb.h>

namespace coffre {

// False when `call(context)` did not return, because of SIGSEGV, SIGBUS or a failed assertion of an
// environment that is guarded. What it was about to change is then in no known state. `call` must
// not throw, and must hold nothing that needs a destructor.
bool survives(void (*call)(void*), void* context);

template <class Call>
bool survives(Call const& call) {
    auto const run = [](void* context) { (*static_cast<Call const*>(context))(); };
    return survives(run, const_cast<Call*>(&call));
}

// Before the first such call on an environment. Handlers for these signals that were there before
// get those that do not come from such a call.
void guard(MDB_env* environment);

}  // namespace coffre
