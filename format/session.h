// The objects `sessions/<sid>[.<n>]`: who is writing, and that it still lives. Liveness only.
//
// docs/format.md, section "sessions".
// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "format/object.h"

namespace coffre {

struct SessionRecord {
    std::string host;
    std::string boot_id;  // of the kernel: differs after a restart
    std::uint64_t pid_namespace = 0;
    std::uint64_t pid = 0;
    std::uint64_t process_start = 0;  // clock ticks since boot
    std::int64_t created_ns = 0;
    std::uint64_t beat = 0;  // 0: the session itself; n: its n-th heartbeat

    bool operator==(SessionRecord const&) const = default;
};

Bytes encode_session(SessionRecord const& record);
SessionRecord decode_session(ByteView bytes);

}  // namespace coffre
